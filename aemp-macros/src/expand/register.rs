//! The registration of an init function by its name.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Type, ext::IdentExt, parse_quote, spanned::Spanned};

use super::allow;
use crate::{
    model::{Field, Init, Param, options},
    names,
};

/// The expansion of an init function, beside the function itself.
pub(crate) fn init(model: &Init) -> TokenStream {
    let spawner = spawner(model);
    let entry = entry(model);
    quote! {
        #spawner
        #entry
    }
}

/// The type with the function's name, whose `on` spawns it. A function and a struct with braces can have the same
/// name.
fn spawner(model: &Init) -> TokenStream {
    let (p, vis, ident, cfgs, allow) =
        (&model.krate, &model.vis, &model.ident, &model.cfgs, allow());
    let name = name(model);
    let doc = format!("Spawns [`{ident}()`] on a node.");
    let output = output(model);
    let handle = if model.is_process() {
        quote!(#p::Handle<#p::UntypedMsg>)
    } else {
        quote_spanned!(output.span()=> <<#output as #p::InitOutcome>::Port as #p::Port>::Ref)
    };
    let spawned = quote_spanned!(output.span()=> #p::spawned);
    let params = fields(model).map(|(_, field)| {
        let (name, ty) = (&field.name, &field.ty);
        quote!(#name: #ty)
    });
    let options = options(fields(model).map(|(_, field)| field));
    let first = fields(model).count() - options;
    let given = (options > 0).then(|| {
        let names = fields(model).skip(first).map(|(_, field)| &field.name);
        quote! {
            let __given = #p::given(
                [#(::core::option::Option::is_some(&#names)),*],
                ::core::option::Option::None,
            );
        }
    });
    let writes = fields(model).enumerate().map(|(index, (param, field))| {
        let (name, ty) = (&field.name, &field.ty);
        let write = match param {
            Param::Rest(_) => quote!(for __value in &#name { __out.value(__value)?; }),
            _ => {
                let write = quote_spanned!(ty.span()=> <#ty as #p::Argument>::write);
                quote!({ let __write = #write; __write(&#name, __out)?; })
            }
        };
        match index.checked_sub(first) {
            Some(option) => quote!(if __given > #option { #write }),
            None => write,
        }
    });
    quote! {
        #(#cfgs)*
        #allow
        #[doc = #doc]
        #[derive(::core::fmt::Debug)]
        #vis struct #ident {}

        #(#cfgs)*
        #allow
        #[automatically_derived]
        impl #ident {
            /// The fully-qualified name for spawning.
            pub const NAME: &'static str = #name;

            /// Spawns it on a node, which may be this one. The handle is usable at once.
            ///
            /// If it fails, or if that node does not know it, the port dies, and its monitors fire.
            pub fn on(
                __node: &impl ::core::convert::AsRef<#p::Node>,
                __target: impl ::core::convert::AsRef<str>,
                #(#params),*
            ) -> #handle {
                let __node = ::core::convert::AsRef::<#p::Node>::as_ref(__node);
                let __id = #p::Node::spawn_with(__node, __target.as_ref(), Self::NAME, |__out| {
                    #given
                    #(#writes)*
                    ::core::result::Result::Ok(())
                });
                let __spawned = #spawned;
                __spawned(__node, &__id)
            }
        }
    }
}

fn name(model: &Init) -> TokenStream {
    if let Some(name) = &model.name {
        return quote!(#name);
    }
    let ident = model.ident.unraw().to_string();
    quote!(::core::concat!(::core::module_path!(), "::", #ident))
}

fn output(model: &Init) -> Type {
    model.output.clone().unwrap_or_else(|| parse_quote!(()))
}

fn fields(model: &Init) -> impl Iterator<Item = (&Param, &Field)> {
    model
        .params
        .iter()
        .filter_map(|param| Some((param, param.field()?)))
}

/// The entry of the registry. The linker collects all entries.
fn entry(model: &Init) -> TokenStream {
    let (p, ident, cfgs, allow) = (&model.krate, &model.ident, &model.cfgs, allow());
    let signature = &model.signature;
    let start = start(model);
    quote! {
        #(#cfgs)*
        #allow
        const _: () = {
            fn __start(
                mut __spawning: #p::Spawning<'_>,
            ) -> ::core::result::Result<(), #p::Undecoded> {
                #start
                ::core::result::Result::Ok(())
            }

            #p::inventory::submit! {
                #p::InitFn {
                    name: #ident::NAME,
                    signature: #signature,
                    file: ::core::file!(),
                    line: ::core::line!(),
                    start: __start,
                }
            }
        };
    }
}

/// Reads the arguments, and runs the function in the context of the new port.
fn start(model: &Init) -> TokenStream {
    let (p, ident) = (&model.krate, &model.ident);
    let reads = fields(model).enumerate().map(|(index, (param, field))| {
        let (local, ty, position) = (names::local(index), &field.ty, index + 1);
        let name = field.name.to_string();
        match param {
            Param::Rest(_) => quote!(let #local = __spawning.rest()?;),
            _ => {
                let read = quote_spanned!(ty.span()=> <#ty as #p::Argument>::spawned);
                quote!(let #local = { let __read = #read; __read(&mut __spawning, #position, #name)? };)
            }
        }
    });
    let takes_cx = model.params.iter().any(|param| matches!(param, Param::Cx));
    let cx = takes_cx.then(|| quote!(__cx,));
    let locals: Vec<_> = (0..fields(model).count()).map(names::local).collect();
    let has_rest = model
        .params
        .iter()
        .any(|param| matches!(param, Param::Rest(_)));
    let arity = locals.len();
    let end = (!has_rest).then(|| quote!(__spawning.end(#arity)?;));
    let call = quote!(#ident(#cx #(#locals),*));
    let output = output(model);
    let make = if model.is_process() {
        let start = quote_spanned!(output.span()=> #p::Spawning::start_process);
        quote!(#start(&mut __spawning, move |__inbox| #ident(__inbox, #(#locals),*));)
    } else if model.is_async {
        quote!(#p::Spawning::start_async::<#output, _>(&mut __spawning, move |__cx| ::std::boxed::Box::pin(#call));)
    } else {
        quote!(#p::Spawning::start::<#output>(&mut __spawning, move |__cx| #call);)
    };
    quote! {
        #(#reads)*
        #end
        #make
    }
}
