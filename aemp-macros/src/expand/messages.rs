//! The message enum, and its conversion to and from packets.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{LitStr, spanned::Spanned};

use super::{Shape, answered, field_types, locals, pattern, reply};
use crate::{
    model::{Field, Handler, Param, Reach, Tag},
    names,
};

/// The impls of the message enum: `Debug` and `Message`.
pub(super) fn traits(shape: &Shape<'_>) -> TokenStream {
    let debug = debug(shape);
    let message = message(shape);
    quote! {
        #debug
        #message
    }
}

pub(super) fn definition(shape: &Shape<'_>) -> TokenStream {
    let model = shape.model;
    let (attrs, vis, msg) = (shape.attrs(), shape.vis(), &model.msg);
    let (generics, clause) = (&shape.generics, &shape.generics.where_clause);
    let variants = model.handlers.iter().map(|handler| {
        let (cfgs, variant) = (&handler.cfgs, &handler.variant);
        let doc = format!("The arguments of `{}`.", handler.ident);
        let types = field_types(model, handler);
        let fields = (!types.is_empty()).then(|| quote!((#(#types),*)));
        quote!(#(#cfgs)* #[doc = #doc] #variant #fields)
    });
    let unused = unused(shape)
        .map(|phantom| quote!(#[doc(hidden)] __Unused(#phantom, ::core::convert::Infallible)));
    let doc = format!("The messages of `{}`: one variant a handler.", model.name);
    quote! {
        #attrs
        #[doc = #doc]
        #vis enum #msg #generics #clause {
            #(#variants,)*
            #unused
        }
    }
}

/// A variant that mentions the type parameters that no message mentions, because an enum must mention all.
fn unused(shape: &Shape<'_>) -> Option<TokenStream> {
    let unused = &shape.unused;
    (!unused.is_empty()).then(|| quote!(::core::marker::PhantomData<fn() -> (#(#unused,)*)>))
}

fn debug(shape: &Shape<'_>) -> TokenStream {
    let model = shape.model;
    let msg = &model.msg;
    let (generics, arguments, clause) = shape.generics.split_for_impl();
    let arms = model.handlers.iter().map(|handler| {
        let (cfgs, variant) = (&handler.cfgs, &handler.variant);
        let name = format!("{msg}::{variant}");
        quote!(#(#cfgs)* Self::#variant { .. } => #name,)
    });
    let never = (!shape.unused.is_empty()).then(|| quote!(Self::__Unused { .. } => "",));
    let body = if model.handlers.is_empty() && shape.unused.is_empty() {
        quote!(match *self {})
    } else {
        quote!(__f.write_str(match self { #(#arms)* #never }))
    };
    quote! {
        #[automatically_derived]
        impl #generics ::core::fmt::Debug for #msg #arguments #clause {
            fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #body
            }
        }
    }
}

/// The arm of the variant that no message ever is, if there is one.
pub(super) fn never(shape: &Shape<'_>, msg: &TokenStream) -> Option<TokenStream> {
    let unused = !shape.unused.is_empty();
    unused.then(|| quote!(#msg::__Unused(_, __never) => match __never {},))
}

fn message(shape: &Shape<'_>) -> TokenStream {
    let model = shape.model;
    let (msg, p) = (&model.msg, &model.krate);
    let (generics, arguments, clause) = shape.generics.split_for_impl();
    let (decode, encode) = if model.is_local() {
        (
            quote!(::core::result::Result::Err(#p::Undecoded::Unhandled)),
            quote!(::core::result::Result::Err(#p::stays_here())),
        )
    } else {
        (decode(shape), encode(shape))
    };
    let numbering = numbering(shape);
    let uses_origin = model
        .handlers
        .iter()
        .any(|handler| handler.takes_cx() || handler.takes_origin());
    let strict = (model.reach == Reach::Network { strict: true }).then(|| {
        quote!(
            const STRICT: bool = true;
        )
    });
    quote! {
        #[automatically_derived]
        impl #generics #p::Message for #msg #arguments #clause {
            const USES_ORIGIN: bool = #uses_origin;
            #strict

            #numbering

            fn decode(
                __tag: &str,
                __args: &mut #p::PacketReader<'_>,
                __cx: &#p::Decoding<'_>,
            ) -> ::core::result::Result<Self, #p::Undecoded> {
                #decode
            }

            fn encode(
                self,
                __out: &mut #p::PacketWriter<'_>,
                __cx: &mut #p::Encoding<'_>,
            ) -> ::core::result::Result<(), #p::EncodeError> {
                #encode
            }
        }
    }
}

fn encode(shape: &Shape<'_>) -> TokenStream {
    let handlers = shape.model.handlers.iter();
    let encodings = handlers.map(|handler| encoding(shape, handler));
    let never = never(shape, &quote!(Self));
    quote!(match self { #(#encodings)* #never })
}

/// The number of a message's handler. The list of names contains all handlers, so that numbers do not depend on
/// `#[cfg]`.
fn numbering(shape: &Shape<'_>) -> Option<TokenStream> {
    let model = shape.model;
    if model.handlers.is_empty() {
        return None;
    }
    let names = model
        .handlers
        .iter()
        .map(|handler| handler.ident.to_string());
    let arms = (0u32..).zip(&model.handlers).map(|(number, handler)| {
        let (cfgs, variant) = (&handler.cfgs, &handler.variant);
        quote!(#(#cfgs)* Self::#variant { .. } => #number,)
    });
    let never = (!shape.unused.is_empty()).then(|| quote!(Self::__Unused { .. } => 0u32,));
    Some(quote! {
        const HANDLERS: &'static [&'static str] = &[#(#names),*];

        #[allow(unreachable_patterns)]
        fn handler(&self) -> u32 {
            match self { #(#arms)* #never _ => 0u32 }
        }
    })
}

fn decode(shape: &Shape<'_>) -> TokenStream {
    let model = shape.model;
    let p = &model.krate;
    let named = model
        .handlers
        .iter()
        .filter_map(|handler| match &handler.tag {
            Tag::Named(tag) => Some(decoding(shape, handler, tag)),
            Tag::Default => None,
        });
    let default = model
        .handlers
        .iter()
        .filter(|handler| handler.is_default())
        .map(|handler| {
            let (cfgs, variant) = (&handler.cfgs, &handler.variant);
            let fields = handler.sent().map(|(param, _)| match param {
                Param::Tag(_) => quote!(::core::convert::From::from(__tag)),
                _ => quote!(__args.rest().map_err(#p::Undecoded::Malformed)?),
            });
            quote!(#(#cfgs)* _ => ::core::result::Result::Ok(Self::#variant(#(#fields),*)),)
        });
    let certain = model
        .handlers
        .iter()
        .any(|handler| handler.is_default() && handler.cfgs.is_empty());
    let unhandled = (!certain).then(|| {
        quote!(#[allow(unreachable_patterns)] _ => ::core::result::Result::Err(#p::Undecoded::Unhandled),)
    });
    quote!(match __tag { #(#named)* #(#default)* #unhandled })
}

/// The arm that reads the arguments of one tag.
fn decoding(shape: &Shape<'_>, handler: &Handler, tag: &LitStr) -> TokenStream {
    let p = &shape.model.krate;
    let (cfgs, variant, locals) = (&handler.cfgs, &handler.variant, locals(handler));
    let call = is_called(handler).then(|| call(shape, handler, tag));
    let reads = handler
        .sent()
        .enumerate()
        .filter_map(|(index, (param, field))| {
            let local = names::local(index);
            match param {
                Param::Arg(_) => Some(read(shape, handler, tag, index, field)),
                Param::Rest(_) if !handler.is_answered() => {
                    Some(quote!(let #local = __args.rest().map_err(#p::Undecoded::Malformed)?;))
                }
                _ => None,
            }
        });
    let end = end(shape, handler, tag);
    let fields = (!locals.is_empty()).then(|| quote!((#(#locals),*)));
    quote! {
        #(#cfgs)*
        #tag => {
            #call
            #(#reads)*
            #end
            ::core::result::Result::Ok(Self::#variant #fields)
        }
    }
}

/// True if a reply port may follow the arguments.
fn is_called(handler: &Handler) -> bool {
    handler.is_answered() && !handler.has_rest()
}

/// Counts the elements besides the arguments, and completes arguments that were left out.
fn call(shape: &Shape<'_>, handler: &Handler, tag: &LitStr) -> TokenStream {
    let (p, options) = (&shape.model.krate, handler.options());
    let required = handler.arity() - options;
    quote! {
        let mut __call = #p::call::<Self>(#tag, #required, #options, __args)?;
        let __args = match &mut __call.filled {
            ::core::option::Option::Some(__filled) => __filled,
            ::core::option::Option::None => __args,
        };
    }
}

fn read(
    shape: &Shape<'_>,
    handler: &Handler,
    tag: &LitStr,
    index: usize,
    field: &Field,
) -> TokenStream {
    let p = &shape.model.krate;
    let (local, ty, position) = (names::local(index), &field.ty, index + 1);
    let name = field.name.to_string();
    let error = if handler.is_answered() {
        quote!(#p::argument::<Self>(#tag, #position, #name, __error, __args))
    } else {
        quote!(#p::Undecoded::argument(#tag, #position, #name, __error))
    };
    let read = quote_spanned!(ty.span()=> <#ty as #p::Argument>::read);
    quote! {
        let __read = #read;
        let #local = __read(__args).map_err(|__error| #error)?;
    }
}

/// Writes the part of a message behind its arguments: nothing, the reply port, or all further arguments.
fn end(shape: &Shape<'_>, handler: &Handler, tag: &LitStr) -> TokenStream {
    let p = &shape.model.krate;
    let (arity, reply) = (handler.arity(), reply());
    match (handler.has_rest(), handler.is_answered()) {
        (false, false) => quote!(#p::end::<Self>(#tag, #arity, __args)?;),
        (false, true) => {
            let read = on_answer(shape, handler, "read_reply");
            quote! {
                let __read = #read::<Self>;
                let #reply = __read(#tag, #arity, __call.more, __cx, __args)?;
            }
        }
        (true, false) => TokenStream::new(),
        (true, true) => {
            let (rest, read) = (names::local(arity), on_answer(shape, handler, "read_rest"));
            quote! {
                let __read = #read;
                let (#rest, #reply) = __read(__cx, __args)?;
            }
        }
    }
}

/// The arm that writes one message.
fn encoding(shape: &Shape<'_>, handler: &Handler) -> TokenStream {
    let (cfgs, pattern) = (&handler.cfgs, pattern(&quote!(Self), handler));
    let tag = match &handler.tag {
        Tag::Named(tag) => Some(quote!(__out.str(#tag)?;)),
        Tag::Default => None,
    };
    let options = handler.options();
    let first = handler.sent().count() - options;
    let given = (options > 0).then(|| given(shape, handler, first));
    let writes = handler.sent().enumerate().map(|(index, sent)| {
        let write = write(shape, index, sent);
        match index.checked_sub(first) {
            Some(option) => quote!(if __given > #option { #write }),
            None => write,
        }
    });
    let reply = handler.is_answered().then(|| {
        let into_port = on_answer(shape, handler, "reply_port");
        quote! {
            let __into_port = #into_port;
            if let ::core::option::Option::Some(__port) = __into_port(__reply, __cx) {
                __out.str(__port.as_str())?;
            }
        }
    });
    quote! {
        #(#cfgs)*
        #pattern => {
            #tag
            #given
            #(#writes)*
            #reply
            ::core::result::Result::Ok(())
        }
    }
}

/// The number of optional arguments at the end that are written. `first` is the first of them.
fn given(shape: &Shape<'_>, handler: &Handler, first: usize) -> TokenStream {
    let p = &shape.model.krate;
    let locals = (first..first + handler.options()).map(names::local);
    let call = if handler.is_answered() {
        quote!(::core::option::Option::Some(&*__cx))
    } else {
        quote!(::core::option::Option::None)
    };
    quote! {
        let __given = #p::given([#(::core::option::Option::is_some(&#locals)),*], #call);
    }
}

/// A function of the types that can be answers, for the type of a handler's answer.
///
/// Only paths get the span of the type. If the type comes out of another macro, local variables with that span would
/// not be found. All paths for the same bound are equal, so that the compiler reports a violation once.
fn on_answer(shape: &Shape<'_>, handler: &Handler, function: &str) -> TokenStream {
    let p = &shape.model.krate;
    let answer = answered(p, handler);
    let function = Ident::new(function, answer.span());
    quote_spanned!(answer.span()=> <#answer as #p::Answer>::#function)
}

fn write(shape: &Shape<'_>, index: usize, (param, field): (&Param, &Field)) -> TokenStream {
    let (p, local) = (&shape.model.krate, names::local(index));
    match param {
        Param::Tag(_) => quote!(__out.str(&#local)?;),
        Param::Rest(_) => quote!(for __value in &#local { __out.value(__value)?; }),
        _ => {
            let ty = &field.ty;
            let write = quote_spanned!(ty.span()=> <#ty as #p::Argument>::write);
            quote!({ let __write = #write; __write(&#local, __out)?; })
        }
    }
}
