//! From messages to the methods of their handlers.

use std::ptr;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{Shape, answered, messages, pattern};
use crate::{
    model::{Answer, Concurrent, Ending, Handler, Hook, HookParam, Param, Returned, Tag, Way},
    names,
    paths::Crate,
};

/// The `Port` impl of a type.
pub(super) fn expand(shape: &Shape<'_>, port: &Type) -> TokenStream {
    let model = shape.model;
    let (p, msg, handle) = (&model.krate, &model.msg, &model.handle);
    let (generics, arguments, clause) = shape.generics.split_for_impl();
    let numbered = (0u32..).zip(&model.handlers);
    let arms = numbered.map(|(number, handler)| match &handler.way {
        Way::Sync => arm(shape, handler),
        Way::Async => refused(shape, handler),
        Way::Concurrent(way) => concurrent(shape, handler, number, way),
    });
    let never = messages::never(shape, &quote!(#msg));
    let (waiting, hooks, returns) = (waiting(shape), hooks(shape), returns(shape));
    let urgent = urgent(shape);
    let blocking = model.blocking.then(|| {
        quote!(
            const BLOCKING: bool = true;
        )
    });
    let owned = model.owned.then(|| {
        quote!(
            const OWNED: bool = true;
        )
    });
    quote! {
        #[automatically_derived]
        impl #generics #p::Port for #port #clause {
            type Msg = #msg #arguments;
            type Ref = #handle #arguments;
            #blocking
            #owned

            fn record() -> &'static #p::Record {
                static __RECORD: #p::Record = #p::Record::new();
                &__RECORD
            }

            fn handle(
                &mut self,
                __cx: &mut #p::Cx<'_>,
                __message: #msg #arguments,
            ) -> ::core::result::Result<(), #p::Reason> {
                match __message { #(#arms)* #never }
            }

            #waiting
            #returns
            #urgent
            #hooks
        }
    }
}

/// The method that names the calls whose answer is the handler's result, while the handler holds its port. The numbers
/// are those of `Message::handler`. A concurrent handler does not hold its port, which may answer meanwhile.
fn returns(shape: &Shape<'_>) -> Option<TokenStream> {
    let numbers: Vec<u32> = (0u32..)
        .zip(&shape.model.handlers)
        .filter(|(_, handler)| matches!(handler.answer, Answer::Returned(_)))
        .filter(|(_, handler)| !matches!(handler.way, Way::Concurrent(_)))
        .map(|(number, _)| number)
        .collect();
    if numbers.is_empty() {
        return None;
    }
    Some(quote! {
        fn returns(__handler: u32) -> bool {
            match __handler { #(#numbers)|* => true, _ => false }
        }
    })
}

/// The constant and the methods that tell which messages are urgent, if there are any. The tags are for messages that
/// have not been decoded.
fn urgent(shape: &Shape<'_>) -> Option<TokenStream> {
    let urgent = (0u32..).zip(&shape.model.handlers);
    let urgent: Vec<(u32, &Handler)> = urgent.filter(|(_, handler)| handler.urgent).collect();
    if urgent.is_empty() {
        return None;
    }
    let numbers = urgent.iter().map(|(number, _)| number);
    let tags = shape.model.handlers.iter().filter_map(|handler| {
        let (cfgs, urgent) = (&handler.cfgs, handler.urgent);
        match &handler.tag {
            Tag::Named(tag) => Some(quote!(#(#cfgs)* #tag => #urgent,)),
            Tag::Default => None,
        }
    });
    // The default handler comes last, as in `Message::decode`.
    let default = urgent.iter().find(|(_, handler)| handler.is_default());
    let default = default.map(|(_, handler)| {
        let cfgs = &handler.cfgs;
        quote!(#(#cfgs)* _ => true,)
    });
    Some(quote! {
        const URGENT: bool = true;

        fn is_urgent(__handler: u32) -> bool {
            match __handler { #(#numbers)|* => true, _ => false }
        }

        fn is_urgent_tag(__tag: &str) -> bool {
            match __tag {
                #(#tags)*
                #default
                #[allow(unreachable_patterns)]
                _ => false,
            }
        }
    })
}

/// The methods and constants of `Port` for the port's life, if there are any.
fn hooks(shape: &Shape<'_>) -> TokenStream {
    let (p, hooks) = (&shape.model.krate, &shape.model.hooks);
    let future = quote! {
        impl ::core::future::Future<Output = ::core::result::Result<(), #p::Reason>>
            + ::core::marker::Send + '__a
    };
    let start = hooks.start.as_ref().map(|hook| {
        let (cfgs, body) = (&hook.cfgs, hooked(p, hook));
        quote! {
            #(#cfgs)*
            const STARTS: bool = true;

            #(#cfgs)*
            fn starting<'__a>(&'__a mut self, __cx: &'__a mut #p::Cx<'_>) -> #future {
                async move { #body }
            }
        }
    });
    let stop = hooks.stop.as_ref().map(|(hook, limit)| {
        let (cfgs, body) = (&hook.cfgs, hooked(p, hook));
        quote! {
            #(#cfgs)*
            const STOPS: ::core::option::Option<::core::time::Duration> =
                ::core::option::Option::Some(::core::time::Duration::from_millis(#limit));

            #(#cfgs)*
            fn stopping<'__a>(
                &'__a mut self,
                __cx: &'__a mut #p::Cx<'_>,
                __reason: &'__a #p::Reason,
            ) -> #future {
                async move { #body }
            }
        }
    });
    quote!(#start #stop)
}

fn hooked(p: &Crate, hook: &Hook) -> TokenStream {
    let method = &hook.ident;
    let arguments = hook.params.iter().map(|param| match param {
        HookParam::Cx => quote!(__cx),
        HookParam::Reason => quote!(__reason),
    });
    let wait = hook.is_async.then(|| quote!(.await));
    ended(
        p,
        &hook.ending,
        &quote!(Self::#method(self, #(#arguments),*) #wait),
    )
}

/// The methods of `Port` for `async` handlers, if there are any.
fn waiting(shape: &Shape<'_>) -> Option<TokenStream> {
    let model = shape.model;
    let (p, msg) = (&model.krate, &model.msg);
    let (_, arguments, _) = shape.generics.split_for_impl();
    let waiting: Vec<&Handler> = model
        .handlers
        .iter()
        .filter(|handler| handler.is_async())
        .collect();
    if waiting.is_empty() {
        return None;
    }
    let arms = waiting.iter().map(|handler| arm(shape, handler));
    let waits = waiting.iter().map(|handler| {
        let (cfgs, variant) = (&handler.cfgs, &handler.variant);
        quote!(#(#cfgs)* #msg::#variant { .. } => true,)
    });
    Some(quote! {
        fn waits(__message: &#msg #arguments) -> bool {
            match __message { #(#waits)* #[allow(unreachable_patterns)] _ => false }
        }

        fn handle_async<'__a>(
            &'__a mut self,
            __cx: &'__a mut #p::Cx<'_>,
            __message: #msg #arguments,
        ) -> impl ::core::future::Future<Output = ::core::result::Result<(), #p::Reason>>
               + ::core::marker::Send + '__a {
            async move {
                match __message {
                    #(#arms)*
                    #[allow(unreachable_patterns)]
                    __message => <Self as #p::Port>::handle(self, __cx, __message),
                }
            }
        }
    })
}

/// The arm of an `async` handler, in the method that cannot await.
fn refused(shape: &Shape<'_>, handler: &Handler) -> TokenStream {
    let (p, msg) = (&shape.model.krate, &shape.model.msg);
    let (cfgs, variant) = (&handler.cfgs, &handler.variant);
    let name = handler.ident.to_string();
    quote!(#(#cfgs)* #msg::#variant { .. } => ::core::result::Result::Err(#p::not_async(#name)),)
}

/// The arm of a handler that runs beside the port: a future with a copy of the state. The answer is sent by the
/// runtime, which first kills the port if the handler has failed.
/// The number is that of `Message::handler`.
fn concurrent(shape: &Shape<'_>, handler: &Handler, number: u32, way: &Concurrent) -> TokenStream {
    let (p, msg) = (&shape.model.krate, &shape.model.msg);
    let (cfgs, pattern, limit) = (&handler.cfgs, pattern(msg, handler), &way.limit);
    let origin = handler
        .takes_origin()
        .then(|| quote!(let __origin = #p::origin(__cx)?;));
    let hold = handler
        .is_answered()
        .then(|| quote!(#p::hold(__cx, &__reply);));
    let copy = way.receiver.as_ref().map(|receiver| {
        let copied = quote_spanned!(receiver.span()=> <Self as #p::Copied>::copied);
        quote!(let __copy = { let __copied = #copied; __copied(self) };)
    });
    let call = call(handler);
    let (reply, ty, body) = match &handler.answer {
        Answer::Nothing(ending) | Answer::Deferred(ending) => {
            let no_caller = quote!(#p::Reply::<()>::none());
            (no_caller, quote!(()), ended(p, ending, &call))
        }
        Answer::Returned(returned) => {
            let answered = answered(p, handler);
            let body = match returned {
                Returned::Whole(_) => quote!(::core::result::Result::Ok(#call)),
                Returned::Tried(ty) => with(&call, &quote_spanned!(ty.span()=> #p::tried::<#ty>)),
            };
            (quote!(__reply), quote!(#answered), body)
        }
    };
    let (concurrent, wanted) = match &handler.answer {
        Answer::Returned(_) if handler.wanted => (quote!(concurrent_wanted::<Self, _, _>), None),
        _ => {
            let over = quote!(#p::Done::new(__cx, ::core::result::Result::Ok(())));
            let wanted = wanted(shape, handler, &over);
            let wanted = wanted.map(|wanted| quote!(let __cx = #p::Beside::cx(&__beside); #wanted));
            (quote!(concurrent), wanted)
        }
    };
    quote! {
        #(#cfgs)*
        #pattern => {
            #origin
            #hold
            #copy
            let __limit: usize = #limit;
            #p::#concurrent(__cx, #number, __limit, #reply, move |__beside| async move {
                #wanted
                let mut __here = #p::Beside::cx(&__beside);
                let __done: ::core::result::Result<#ty, #p::Reason> = {
                    let __cx = &mut __here;
                    #body
                };
                #p::Done::new(__here, __done)
            })
        }
    }
}

/// Leaves an arm with `over` if no caller waits for the answer any more. The number is that of
/// `Message::handler`.
fn wanted(shape: &Shape<'_>, handler: &Handler, over: &TokenStream) -> Option<TokenStream> {
    let (p, number) = (&shape.model.krate, number(shape, handler)?);
    let wanted = quote! {
        let ::core::option::Option::Some(__reply) = #p::wanted::<Self, _>(&__cx, #number, __reply) else {
            return #over;
        };
    };
    handler.wanted.then_some(wanted)
}

fn number(shape: &Shape<'_>, handler: &Handler) -> Option<u32> {
    let mut numbered = (0u32..).zip(&shape.model.handlers);
    let found = numbered.find(|(_, other)| ptr::eq(*other, handler));
    found.map(|(number, _)| number)
}

/// The arm that calls a handler.
fn arm(shape: &Shape<'_>, handler: &Handler) -> TokenStream {
    let (p, msg) = (&shape.model.krate, &shape.model.msg);
    let (cfgs, pattern) = (&handler.cfgs, pattern(msg, handler));
    // Evaluated before the context is lent to the handler.
    let origin = handler
        .takes_origin()
        .then(|| quote!(let __origin = #p::origin(__cx)?;));
    let body = outcome(shape, handler);
    let wanted = wanted(shape, handler, &quote!(::core::result::Result::Ok(())));
    quote!(#(#cfgs)* #pattern => { #wanted #origin #body })
}

/// Calls the method, and uses the return value as the handler's kind of answer demands.
fn outcome(shape: &Shape<'_>, handler: &Handler) -> TokenStream {
    let p = &shape.model.krate;
    let call = call(handler);
    let answered = answered(p, handler);
    match &handler.answer {
        Answer::Nothing(ending) => ended(p, ending, &call),
        // The handler may pass the reply on, and its caller would then not notice the death of the port.
        Answer::Deferred(ending) => {
            let ended = ended(p, ending, &call);
            quote! {
                #p::hold(__cx, &__reply);
                #ended
            }
        }
        Answer::Returned(Returned::Whole(_)) => {
            let value = answering(p, handler, &call);
            quote! {
                let __answer = #value;
                #p::Reply::<#answered>::send(__reply, __answer);
                ::core::result::Result::Ok(())
            }
        }
        Answer::Returned(Returned::Tried(ty)) => {
            let tried = with(&call, &quote_spanned!(ty.span()=> #p::tried::<#ty>));
            let tried = answering(p, handler, &tried);
            quote! {
                let __answer = #tried?;
                #p::Reply::<#answered>::send(__reply, __answer);
                ::core::result::Result::Ok(())
            }
        }
    }
}

/// A handler whose return value is the answer sees its caller in its context, if it takes one.
fn answering(p: &Crate, handler: &Handler, value: &TokenStream) -> TokenStream {
    if !handler.takes_cx() {
        return value.clone();
    }
    quote!({
        let mut __answering = #p::answering(__cx, &__reply);
        let __cx = #p::Answering::cx(&mut __answering);
        let __value = #value;
        __value
    })
}

/// The outcome of a handler whose return value is not the answer.
fn ended(p: &Crate, ending: &Ending, call: &TokenStream) -> TokenStream {
    match ending {
        Ending::Plain => quote! {
            #call;
            ::core::result::Result::Ok(())
        },
        Ending::Tried(ty) => with(call, &quote_spanned!(ty.span()=> #p::ended::<#ty>)),
    }
}

/// Passes the return value of a call to a function, in two steps. In one, the compiler would report the call instead
/// of the type.
fn with(call: &TokenStream, function: &TokenStream) -> TokenStream {
    quote!({ let __function = #function; __function(#call) })
}

fn call(handler: &Handler) -> TokenStream {
    let arguments = handler.params.iter().map(|param| match param {
        Param::Cx => quote!(__cx),
        Param::Origin => quote!(__origin),
        // Init functions alone have one.
        Param::Inbox => quote!(__inbox),
        Param::Reply(_) => quote!(__reply),
        Param::Arg(_) | Param::Rest(_) | Param::Tag(_) => {
            let index = handler.sent().position(|(sent, _)| ptr::eq(sent, param));
            let local = names::local(index.unwrap_or_default());
            let is_lent =
                matches!(param, Param::Tag(field) if matches!(field.ty, Type::Reference(_)));
            if is_lent {
                quote!(&#local)
            } else {
                quote!(#local)
            }
        }
    });
    let method = &handler.ident;
    let (state, wait) = match &handler.way {
        Way::Sync => (Some(quote!(self,)), None),
        Way::Async => (Some(quote!(self,)), Some(quote!(.await))),
        Way::Concurrent(way) => {
            let copy = way.receiver.is_some().then(|| quote!(&__copy,));
            (copy, Some(quote!(.await)))
        }
    };
    quote!(Self::#method(#state #(#arguments),*) #wait)
}
