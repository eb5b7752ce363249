//! From model to tokens. No other module quotes tokens.

mod dispatch;
mod handle;
mod messages;
mod register;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Attribute, GenericArgument, Generics, PathArguments, Type, Visibility, parse_quote,
    spanned::Spanned,
};

pub(crate) use self::register::init;
use crate::{
    model::{Answer, Bare, Handler, Interface, Param, Returned},
    names,
};

/// The expansion of an interface, beside the user's own item.
pub(crate) fn interface(model: &Interface) -> TokenStream {
    let shape = Shape::of(model);
    let attrs = shape.attrs();
    let messages = messages::definition(&shape);
    let handle = handle::definition(&shape);
    let message_traits = messages::traits(&shape);
    let handle_traits = handle::traits(&shape);
    let port = model
        .port
        .as_ref()
        .map(|port| dispatch::expand(&shape, port));
    let items = quote! {
        #messages
        #handle
        #attrs
        const _: () = {
            #message_traits
            #handle_traits
            #port
        };
    };
    match &model.bare {
        Some(bare) => out_of_the_way(&shape, bare, &items),
        None => items,
    }
}

/// For a port without handlers, the generated types have no names outside, unless the user names them. So a second
/// `#[port]`, on an `impl` block of the same type, collides with the `Port` impl only, and not with every item of a
/// handle.
fn out_of_the_way(shape: &Shape<'_>, bare: &Bare, items: &TokenStream) -> TokenStream {
    let model = shape.model;
    let attrs = shape.attrs();
    let msg = bare.names_msg.then(|| {
        let doc = format!("The messages of `{}`: none.", model.name);
        alias(shape, &model.msg, &parse_quote!(Msg), &doc)
    });
    let handle = bare.names_handle.then(|| {
        let doc = format!(
            "A typed handle of a `{}`, here or on another node.",
            model.name
        );
        alias(shape, &model.handle, &parse_quote!(Ref), &doc)
    });
    quote! {
        #attrs
        const _: () = { #items };
        #msg
        #handle
    }
}

fn alias(shape: &Shape<'_>, name: &Ident, associated: &Ident, doc: &str) -> TokenStream {
    let model = shape.model;
    let (attrs, vis, p, port) = (shape.attrs(), &model.vis, &model.krate, &model.port);
    let params = unbounded(&shape.generics);
    quote! {
        #attrs
        #[doc = #doc]
        #vis type #name #params = <#port as #p::Port>::#associated;
    }
}

/// The parameters of an alias, which has no bounds.
fn unbounded(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    generics.where_clause = None;
    for param in generics.type_params_mut() {
        param.bounds.clear();
        param.colon_token = None;
    }
    generics
}

/// An interface, and the common parts of its generated items.
struct Shape<'a> {
    model: &'a Interface,
    /// The port's generics, with the bounds that its messages need.
    generics: Generics,
    /// Type parameters that occur in no message.
    unused: Vec<&'a Ident>,
}

impl<'a> Shape<'a> {
    fn of(model: &'a Interface) -> Self {
        let params: Vec<&Ident> = model
            .generics
            .type_params()
            .map(|param| &param.ident)
            .collect();
        let always = model
            .handlers
            .iter()
            .filter(|handler| handler.cfgs.is_empty());
        let types: Vec<Type> = always
            .flat_map(|handler| field_types(model, handler))
            .collect();
        let is_unused = |param: &&Ident| !types.iter().any(|ty| mentions(ty, &[*param]));
        Self {
            model,
            generics: bounded(model, &params),
            unused: params.iter().copied().filter(is_unused).collect(),
        }
    }

    /// The visibility of the enum and the handle, as seen from their place.
    fn vis(&self) -> Visibility {
        if self.model.bare.is_some() {
            parse_quote!(pub)
        } else {
            self.model.vis.clone()
        }
    }

    /// The `#[cfg]`s of the item, and `allow` for lints that generated code may violate.
    fn attrs(&self) -> TokenStream {
        let cfgs = &self.model.cfgs;
        let allow = allow();
        quote!(#(#cfgs)* #allow)
    }
}

/// Generated code need not obey these lints. Its content is the user's.
fn allow() -> TokenStream {
    quote! {
        #[allow(
            dead_code, deprecated, missing_docs, non_camel_case_types, private_bounds, private_interfaces,
            unnameable_types, unreachable_code, unreachable_pub, unused_variables, clippy::all, clippy::pedantic
        )]
    }
}

/// For handlers and init functions: messages determine their signatures.
pub(crate) fn dictated() -> Attribute {
    parse_quote!(#[allow(clippy::needless_pass_by_value, clippy::unused_async, clippy::unused_self)])
}

/// For the trait of a protocol, which only stays as a description.
pub(crate) fn never_implemented() -> Attribute {
    parse_quote!(#[allow(dead_code)])
}

/// The generics, with the bounds that messages need.
fn bounded(model: &Interface, params: &[&Ident]) -> Generics {
    let mut generics = model.generics.clone();
    if params.is_empty() {
        return generics;
    }
    let p = &model.krate;
    // An `impl` may not repeat the defaults of a struct's parameters.
    generics
        .type_params_mut()
        .for_each(|param| param.default = None);
    let clause = generics.make_where_clause();
    for param in params {
        clause
            .predicates
            .push(parse_quote!(#param: ::core::marker::Send + 'static));
    }
    for handler in &model.handlers {
        for ty in data_types(model, handler) {
            if mentions(&ty, params) {
                clause.predicates.push(if model.is_local() {
                    parse_quote!(#ty: ::core::marker::Send + 'static)
                } else {
                    parse_quote! {
                        #ty: #p::serde::Serialize + #p::serde::de::DeserializeOwned + ::core::marker::Send + 'static
                    }
                });
            }
        }
    }
    generics
}

/// The types of the fields of a handler's variant.
fn field_types(model: &Interface, handler: &Handler) -> Vec<Type> {
    let p = &model.krate;
    let fields = handler.sent().map(|(param, field)| match param {
        Param::Rest(_) => parse_quote!(#p::Args),
        Param::Tag(_) => parse_quote!(::std::string::String),
        _ => field.ty.clone(),
    });
    let reply = answered(p, handler).map(|answer| parse_quote!(#p::Reply<#answer>));
    fields.chain(reply).collect()
}

/// The types of a handler's arguments and of its answer.
fn data_types(model: &Interface, handler: &Handler) -> Vec<Type> {
    let params = handler.params.iter().filter_map(|param| match param {
        Param::Arg(field) | Param::Reply(field) => Some(field.ty.clone()),
        _ => None,
    });
    params.chain(returned(&model.krate, handler)).collect()
}

/// The return type that is the answer of a handler.
fn returned(p: &impl ToTokens, handler: &Handler) -> Option<Type> {
    match &handler.answer {
        Answer::Returned(Returned::Whole(ty)) => Some(Type::clone(ty)),
        Answer::Returned(Returned::Tried(ty)) => {
            if let Some(ok) = written_ok(ty) {
                return Some(ok);
            }
            let ok = quote_spanned!(ty.span()=> <#ty as #p::Fallible>::Ok);
            Some(Type::Verbatim(ok))
        }
        Answer::Nothing(_) | Answer::Deferred(_) => None,
    }
}

/// The `T` of a type that is written as `Result<T, E>`. People read it more easily than the projection. If it is
/// another type with that name, the compiler reports that the types differ.
fn written_ok(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let mut arguments = arguments.args.iter();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(GenericArgument::Type(ok)), Some(_), None) if last.ident == "Result" => {
            Some(ok.clone())
        }
        _ => None,
    }
}

/// The type of the answer to a call of a handler.
fn answered(p: &impl ToTokens, handler: &Handler) -> Option<Type> {
    let deferred = handler.params.iter().find_map(|param| match param {
        Param::Reply(field) => Some(field.ty.clone()),
        _ => None,
    });
    deferred.or_else(|| returned(p, handler))
}

/// A pattern of a handler's variant that binds `__0`, `__1`, ..., and `__reply` for the answer.
fn pattern(msg: &impl ToTokens, handler: &Handler) -> TokenStream {
    let variant = &handler.variant;
    let locals = locals(handler);
    if locals.is_empty() {
        return quote!(#msg::#variant);
    }
    quote!(#msg::#variant(#(#locals),*))
}

/// The local variables for the fields of a handler's message.
fn locals(handler: &Handler) -> Vec<Ident> {
    let fields = handler.sent().count();
    let mut locals: Vec<Ident> = (0..fields).map(names::local).collect();
    if handler.is_answered() {
        locals.push(reply());
    }
    locals
}

fn reply() -> Ident {
    Ident::new("__reply", Span::call_site())
}

fn mentions(ty: &Type, params: &[&Ident]) -> bool {
    has_ident(ty.to_token_stream(), params)
}

/// True if one of the identifiers is among the tokens.
pub(crate) fn has_ident(tokens: TokenStream, wanted: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => wanted.contains(&&ident),
        TokenTree::Group(group) => has_ident(group.stream(), wanted),
        _ => false,
    })
}
