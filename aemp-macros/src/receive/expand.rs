//! From the arms of a `receive!` to tokens.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{Arm, Binding, Element, Pattern, Receive};
use crate::expand::has_ident;

/// The names in generated code. Locals cannot collide with those of the user, because of their span.
struct Names {
    /// The module of the crate that generated code may name.
    p: TokenStream,
    /// The enum of the arms.
    taken: Ident,
    message: Ident,
    fields: Ident,
    rest: Ident,
    holds: Ident,
    arm: syn::Lifetime,
}

pub(super) fn receive(krate: &TokenStream, receive: &Receive) -> TokenStream {
    let hygienic = |name| Ident::new(name, Span::mixed_site());
    let names = Names {
        p: quote!(#krate::__private),
        taken: hygienic("__Taken"),
        message: hygienic("__message"),
        fields: hygienic("__fields"),
        rest: hygienic("__rest"),
        holds: hygienic("__holds"),
        arm: syn::Lifetime::new("'__arm", Span::mixed_site()),
    };
    let Names {
        p, taken, message, ..
    } = &names;
    let inbox = &receive.inbox;
    let inbox = quote_spanned!(inbox.span()=> &#inbox);
    let variants: Vec<Ident> = (0..receive.arms.len())
        .map(|index| format_ident!("Arm{index}"))
        .collect();
    let tests = receive
        .arms
        .iter()
        .zip(&variants)
        .map(|(arm, variant)| test(&names, arm, variant));
    let matches = receive
        .arms
        .iter()
        .zip(&variants)
        .map(|(arm, variant)| matched(&names, arm, variant));
    let tags = tags(&receive.arms);
    let arms = quote! {
        |#message: &[#p::Value]| {
            #(#tests)*
            ::core::option::Option::None
        }
    };
    let definition = quote! {
        #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
        enum #taken<#(#variants),*> {
            #(#variants(#variants)),*
        }
    };
    let allow = quote!(#[allow(unreachable_code, unused_mut, unused_variables, unused_parens, clippy::all, clippy::pedantic)]);
    let received = hygienic("__received");
    let bodies = quote! {
        match #received {
            #(#matches)*
        }
    };
    // The error of a use outside of async code stands at the inbox.
    let awaits = quote_spanned!(receive.inbox.span()=> await);
    match &receive.after {
        None => quote! {{
            #definition
            #allow
            let (#received, #message) = #p::receive(#p::inbox(#inbox), &[#(#tags),*], #arms).#awaits;
            #bodies
        }},
        Some(after) => {
            let (limit, otherwise) = (&after.limit, &after.body);
            quote! {{
                #definition
                #allow
                let #received = #p::receive_within(#p::inbox(#inbox), &[#(#tags),*], #limit, #arms).#awaits;
                match #received {
                    ::core::option::Option::Some((#received, #message)) => #bodies,
                    ::core::option::Option::None => #otherwise,
                }
            }}
        }
    }
}

/// The tags of the messages to look at; none if an arm takes any tag.
fn tags(arms: &[Arm]) -> BTreeSet<String> {
    let tags = arms.iter().map(|arm| arm.tag().map(syn::LitStr::value));
    tags.collect::<Option<_>>().unwrap_or_default()
}

/// The test of a message by one arm. It returns the arguments as a variant.
fn test(names: &Names, arm: &Arm, variant: &Ident) -> TokenStream {
    let Names {
        taken,
        message,
        holds,
        arm: label,
        ..
    } = names;
    let guard = arm.guard.as_ref().map(|guard| {
        quote! {
            let #holds: ::core::primitive::bool = #guard;
            if !#holds {
                break #label;
            }
        }
    });
    let (read, value) = match &arm.pattern {
        Pattern::Whole(binding) => {
            let name = binding.as_ref().map(|binding| {
                let name = &binding.name;
                quote!(let #name = #message;)
            });
            (name.unwrap_or_default(), quote!(()))
        }
        Pattern::Elements(elements) => {
            let bindings = bindings(elements).map(|binding| &binding.name);
            let value = quote!((#(#bindings,)*));
            (read(names, arm, elements), value)
        }
    };
    quote! {
        #label: {
            #read
            #guard
            return ::core::option::Option::Some(#taken::#variant(#value));
        }
    }
}

/// The statements that bind the elements of a message, or leave the arm.
fn read(names: &Names, arm: &Arm, elements: &[Element]) -> TokenStream {
    let Names {
        p,
        message,
        fields,
        rest,
        arm: label,
        ..
    } = names;
    let (start, elements) = match arm.tag() {
        Some(tag) => (quote!(#p::Fields::after(#message, #tag)), &elements[1..]),
        None => (
            quote!(::core::option::Option::Some(#p::Fields::all(#message))),
            elements,
        ),
    };
    let has_rest = matches!(elements.last(), Some(Element::Rest(_)));
    let fixed = elements.len() - usize::from(has_rest);
    let options = elements[..fixed]
        .iter()
        .rev()
        .take_while(|element| is_option(element));
    let least = fixed - options.count();
    let most = if has_rest {
        quote!(::core::primitive::usize::MAX)
    } else {
        fixed.to_token_stream()
    };
    let steps = elements.iter().map(|element| {
        let (bound, value) = match element {
            Element::Value { minus, lit } => (quote!(_), quote!(#fields.is(#minus #lit))),
            Element::Skipped => (quote!(_), quote!(#fields.skip())),
            Element::Typed(Binding { name, .. }, ty) => {
                (name.to_token_stream(), quote!(#fields.read::<#ty>()))
            }
            Element::Rest(None) => return TokenStream::new(),
            Element::Rest(Some(Binding { name, .. })) => {
                return quote!(let #name = #fields.rest(););
            }
        };
        quote! {
            let ::core::option::Option::Some(#bound) = #value else {
                break #label;
            };
        }
    });
    quote! {
        let ::core::option::Option::Some(#rest) = #start else {
            break #label;
        };
        let ::core::option::Option::Some(mut #fields) = #rest.number(#least, #most) else {
            break #label;
        };
        #(#steps)*
    }
}

/// The arm of the `match` with the user's body.
fn matched(names: &Names, arm: &Arm, variant: &Ident) -> TokenStream {
    let Names { taken, message, .. } = names;
    let body = body(arm);
    match &arm.pattern {
        Pattern::Whole(None) => quote!(#taken::#variant(()) => #body,),
        Pattern::Whole(Some(Binding { mutability, name })) => quote! {
            #taken::#variant(()) => {
                let #mutability #name = #message;
                #body
            }
        },
        Pattern::Elements(elements) => {
            let bindings =
                bindings(elements).map(|Binding { mutability, name }| quote!(#mutability #name));
            quote!(#taken::#variant((#(#bindings,)*)) => #body,)
        }
    }
}

/// The body of an arm. A name that the guard alone uses is none that is unused.
fn body(arm: &Arm) -> TokenStream {
    let body = &arm.body;
    let (Pattern::Elements(elements), Some(guard)) = (&arm.pattern, &arm.guard) else {
        return body.to_token_stream();
    };
    let guard = guard.to_token_stream();
    let used = bindings(elements)
        .map(|binding| &binding.name)
        .filter(|name| has_ident(guard.clone(), &[name]));
    quote!({
        let _ = (#(&#used,)*);
        #body
    })
}

/// The names that a pattern binds.
fn bindings(elements: &[Element]) -> impl Iterator<Item = &Binding> {
    elements.iter().filter_map(|element| match element {
        Element::Typed(binding, _) | Element::Rest(Some(binding)) => Some(binding),
        Element::Value { .. } | Element::Skipped | Element::Rest(None) => None,
    })
}

fn is_option(element: &Element) -> bool {
    let Element::Typed(_, ty) = element else {
        return false;
    };
    match &**ty {
        Type::Path(path) => {
            let last = path.path.segments.last();
            last.is_some_and(|last| last.ident == "Option")
        }
        _ => false,
    }
}
