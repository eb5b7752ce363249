//! The typed handle.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{GenericParam, Generics, parse_quote};

use super::{Shape, answered};
use crate::model::{Handler, Param};

/// The handle type, with a method for each handler.
pub(super) fn definition(shape: &Shape<'_>) -> TokenStream {
    let model = shape.model;
    let (attrs, vis, p) = (shape.attrs(), shape.vis(), &model.krate);
    let (handle, msg) = (&model.handle, &model.msg);
    let declared = &shape.generics;
    let (generics, arguments, clause) = shape.generics.split_for_impl();
    let place = if model.is_local() {
        "in this process"
    } else {
        "here or on another node"
    };
    let doc = format!("A typed handle of a `{}`, {place}.", model.name);
    let methods = model.handlers.iter().map(|handler| method(shape, handler));
    quote! {
        #attrs
        #[doc = #doc]
        #vis struct #handle #declared (#p::Handle<#msg #arguments>) #clause;

        #attrs
        #[automatically_derived]
        impl #generics #handle #arguments #clause {
            #(#methods)*
        }
    }
}

/// The trait impls of every handle.
pub(super) fn traits(shape: &Shape<'_>) -> TokenStream {
    let traits = conversions(shape);
    let serde = (!shape.model.is_local()).then(|| serde(shape));
    quote! {
        #traits
        #serde
    }
}

/// The method that sends a message, or calls with it.
fn method(shape: &Shape<'_>, handler: &Handler) -> TokenStream {
    let model = shape.model;
    let (p, msg) = (&model.krate, &model.msg);
    let (cfgs, method, variant) = (&handler.cfgs, &handler.ident, &handler.variant);
    let (_, arguments, _) = shape.generics.split_for_impl();
    let docs = docs(handler);
    let params = handler.sent().map(|(param, field)| {
        let (name, ty) = (&field.name, &field.ty);
        match param {
            Param::Tag(_) => quote!(#name: impl ::core::convert::Into<::std::string::String>),
            _ => quote!(#name: #ty),
        }
    });
    let mut fields: Vec<TokenStream> = handler
        .sent()
        .map(|(param, field)| {
            let name = &field.name;
            match param {
                Param::Tag(_) => quote!(::core::convert::Into::into(#name)),
                _ => quote!(#name),
            }
        })
        .collect();
    let (output, body) = match answered(p, handler) {
        Some(answer) => {
            fields.push(quote!(__reply));
            let message = quote!(#msg::#variant(#(#fields),*));
            (
                quote!(#p::Call<#msg #arguments, #answer>),
                quote!(#p::ask(&self.0, |__reply| #message)),
            )
        }
        None => {
            let fields = (!fields.is_empty()).then(|| quote!((#(#fields),*)));
            (
                quote!(#p::Sent),
                quote!(#p::Handle::post(&self.0, #msg::#variant #fields)),
            )
        }
    };
    quote! {
        #(#cfgs)*
        #docs
        pub fn #method(&self, #(#params),*) -> #output {
            #body
        }
    }
}

fn docs(handler: &Handler) -> TokenStream {
    let docs = &handler.docs;
    if docs.iter().any(|attr| attr.path().is_ident("doc")) {
        return quote!(#(#docs)*);
    }
    let verb = if handler.is_answered() {
        "Calls"
    } else {
        "Sends"
    };
    let doc = format!("{verb} `{}`.", handler.ident);
    quote!(#[doc = #doc] #(#docs)*)
}

/// Comparisons and conversions of a handle.
fn conversions(shape: &Shape<'_>) -> TokenStream {
    let model = shape.model;
    let (p, handle, msg) = (&model.krate, &model.handle, &model.msg);
    let (generics, arguments, clause) = shape.generics.split_for_impl();
    let name = handle.to_string();
    let derive = quote!(#[automatically_derived]);
    let inner = quote!(#p::Handle<#msg #arguments>);
    quote! {
        #derive
        impl #generics ::core::clone::Clone for #handle #arguments #clause {
            fn clone(&self) -> Self {
                Self(::core::clone::Clone::clone(&self.0))
            }
        }

        #derive
        impl #generics ::core::fmt::Debug for #handle #arguments #clause {
            fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::write!(__f, "{}({})", #name, self.0.id())
            }
        }

        #derive
        impl #generics ::core::cmp::PartialEq for #handle #arguments #clause {
            fn eq(&self, __other: &Self) -> bool {
                self.0 == __other.0
            }
        }

        #derive
        impl #generics ::core::cmp::Eq for #handle #arguments #clause {}

        #derive
        impl #generics ::core::cmp::Ord for #handle #arguments #clause {
            fn cmp(&self, __other: &Self) -> ::core::cmp::Ordering {
                ::core::cmp::Ord::cmp(&self.0, &__other.0)
            }
        }

        #derive
        impl #generics ::core::cmp::PartialOrd for #handle #arguments #clause {
            fn partial_cmp(&self, __other: &Self) -> ::core::option::Option<::core::cmp::Ordering> {
                ::core::option::Option::Some(::core::cmp::Ord::cmp(self, __other))
            }
        }

        #derive
        impl #generics ::core::hash::Hash for #handle #arguments #clause {
            fn hash<__H: ::core::hash::Hasher>(&self, __state: &mut __H) {
                ::core::hash::Hash::hash(&self.0, __state);
            }
        }

        #derive
        impl #generics ::core::fmt::Display for #handle #arguments #clause {
            fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self.0, __f)
            }
        }

        #derive
        impl #generics ::core::ops::Deref for #handle #arguments #clause {
            type Target = #inner;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        #derive
        impl #generics ::core::convert::From<#inner> for #handle #arguments #clause {
            fn from(__handle: #inner) -> Self {
                Self(__handle)
            }
        }

        #derive
        impl #generics ::core::convert::From<#handle #arguments> for #p::PortId #clause {
            fn from(__handle: #handle #arguments) -> Self {
                __handle.0.id()
            }
        }

        #derive
        impl #generics #p::PortRef for #handle #arguments #clause {
            type Msg = #msg #arguments;

            fn handle(&self) -> &#inner {
                &self.0
            }
        }
    }
}

/// A handle is serialised as the ID of its port.
fn serde(shape: &Shape<'_>) -> TokenStream {
    let model = shape.model;
    let (p, handle) = (&model.krate, &model.handle);
    let (generics, arguments, clause) = shape.generics.split_for_impl();
    let borrowing = with_lifetime(&shape.generics);
    let (borrowing, _, _) = borrowing.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #generics #p::serde::Serialize for #handle #arguments #clause {
            fn serialize<__S: #p::serde::Serializer>(
                &self,
                __serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                #p::serde::Serialize::serialize(&self.0, __serializer)
            }
        }

        #[automatically_derived]
        impl #borrowing #p::serde::Deserialize<'__de> for #handle #arguments #clause {
            fn deserialize<__D: #p::serde::Deserializer<'__de>>(
                __deserializer: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                #p::serde::Deserialize::deserialize(__deserializer).map(Self)
            }
        }
    }
}

fn with_lifetime(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    let lifetime: GenericParam = parse_quote!('__de);
    generics.params.insert(0, lifetime);
    generics
}
