//! The model of a parsed item: the input of `expand`.

use proc_macro2::Ident;
use syn::{Attribute, Expr, Generics, LitStr, Receiver, Type, Visibility};

use crate::paths::Crate;

/// The messages of a port or a protocol.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) krate: Crate,
    /// The visibility of the generated items.
    pub(crate) vis: Visibility,
    /// The port's type, or the trait.
    pub(crate) name: Ident,
    /// The message enum.
    pub(crate) msg: Ident,
    /// The handle type.
    pub(crate) handle: Ident,
    /// The generics of the port's type. A protocol has none.
    pub(crate) generics: Generics,
    /// The port's type; `None` for a protocol.
    pub(crate) port: Option<Type>,
    /// Set if `#[port]` is on the type itself, without an `impl` block.
    pub(crate) bare: Option<Bare>,
    /// True if the handlers block their thread.
    pub(crate) blocking: bool,
    /// True if the port ends with its handles.
    pub(crate) owned: bool,
    /// The `#[cfg]`s of the whole item.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) hooks: Hooks,
    pub(crate) reach: Reach,
}

/// The methods of the port's life.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) start: Option<Hook>,
    /// With its time limit in milliseconds.
    pub(crate) stop: Option<(Hook, u64)>,
}

/// A method that the runtime calls at the start or the end of a port.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) ident: Ident,
    pub(crate) is_async: bool,
    /// The parameters in the order of the declaration, without `self`.
    pub(crate) params: Vec<HookParam>,
    pub(crate) ending: Ending,
    pub(crate) cfgs: Vec<Attribute>,
}

/// A parameter of a method of the port's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookParam {
    Cx,
    /// The reason of the port's end.
    Reason,
}

/// The senders of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Any node.
    Network {
        /// True if the port dies of messages that it does not know.
        strict: bool,
    },
    /// Only this process, so messages need not be able to travel.
    Local,
}

/// A port without handlers: the generated types that the user has named.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) names_msg: bool,
    pub(crate) names_handle: bool,
}

/// One message and the method that handles it.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) ident: Ident,
    pub(crate) variant: Ident,
    pub(crate) tag: Tag,
    pub(crate) cfgs: Vec<Attribute>,
    /// Documentation and `deprecated`, for the handle's method.
    pub(crate) docs: Vec<Attribute>,
    pub(crate) way: Way,
    /// True if its messages are handled before others.
    pub(crate) urgent: bool,
    /// True if a call is handled only if its caller still waits.
    pub(crate) wanted: bool,
    /// The parameters in the order of the declaration, without `self`.
    pub(crate) params: Vec<Param>,
    pub(crate) answer: Answer,
}

/// The way in which a handler runs.
#[derive(Debug)]
pub(crate) enum Way {
    /// It returns without waiting.
    Sync,
    /// It is an `async fn`, and the port waits for it.
    Async,
    /// It is an `async fn`, and the port does not wait for it.
    Concurrent(Box<Concurrent>),
}

/// A handler that runs beside its port.
#[derive(Debug)]
pub(crate) struct Concurrent {
    /// The number of those that run at the same time.
    pub(crate) limit: Expr,
    /// The receiver as written, of a handler that takes the state.
    pub(crate) receiver: Option<Receiver>,
}

/// The messages of a handler.
#[derive(Debug)]
pub(crate) enum Tag {
    /// The messages with this tag.
    Named(LitStr),
    /// The messages without a handler of their own.
    Default,
}

/// One parameter of a handler or an init function.
#[derive(Debug)]
pub(crate) enum Param {
    /// The context of the port.
    Cx,
    /// The origin of the message.
    Origin,
    /// The mailbox of the process that an init function is.
    Inbox,
    /// An argument of the message.
    Arg(Field),
    /// All further arguments of the message.
    Rest(Field),
    /// The reply, for an answer now or later.
    Reply(Field),
    /// The tag, in a default handler.
    Tag(Field),
}

/// The field of a parameter in the message enum.
#[derive(Debug)]
pub(crate) struct Field {
    /// The name of the parameter in the handle's method.
    pub(crate) name: Ident,
    /// The declared type. For a [`Param::Reply`], the type of the answer.
    pub(crate) ty: Type,
}

/// The answer of a handler.
#[derive(Debug)]
pub(crate) enum Answer {
    /// None: the message is sent.
    Nothing(Ending),
    /// The return value of the method.
    Returned(Returned),
    /// An answer by the `Reply` that is the handler's last parameter.
    Deferred(Ending),
}

/// The return type of a handler whose return value is not the answer.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Nothing.
    Plain,
    /// A `Result` of this type, whose error kills the port.
    Tried(Box<Type>),
}

/// The return type of a handler whose return value is the answer.
#[derive(Debug)]
pub(crate) enum Returned {
    /// The answer, of this type.
    Whole(Box<Type>),
    /// A `Result` of this type, whose `Ok` is the answer and whose error kills the port.
    Tried(Box<Type>),
}

/// An init function.
#[derive(Debug)]
pub(crate) struct Init {
    pub(crate) krate: Crate,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    /// The name for spawning; `None` for module path and name.
    pub(crate) name: Option<LitStr>,
    /// The signature as written, for people.
    pub(crate) signature: String,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) is_async: bool,
    pub(crate) params: Vec<Param>,
    /// The return type; `None` for nothing.
    pub(crate) output: Option<Type>,
}

impl Param {
    /// The parameter's field in the message enum.
    pub(crate) fn field(&self) -> Option<&Field> {
        match self {
            Self::Cx | Self::Origin | Self::Inbox => None,
            Self::Arg(field) | Self::Rest(field) | Self::Reply(field) | Self::Tag(field) => {
                Some(field)
            }
        }
    }
}

impl Hooks {
    pub(crate) fn count(&self) -> usize {
        usize::from(self.start.is_some()) + usize::from(self.stop.is_some())
    }
}

impl Init {
    /// True if the function is the body of a process.
    pub(crate) fn is_process(&self) -> bool {
        self.params
            .iter()
            .any(|param| matches!(param, Param::Inbox))
    }
}

impl Interface {
    pub(crate) fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }
}

impl Answer {
    /// The return type of the method, as declared.
    pub(crate) fn output_mut(&mut self) -> Option<&mut Type> {
        match self {
            Self::Nothing(Ending::Plain) | Self::Deferred(Ending::Plain) => None,
            Self::Nothing(Ending::Tried(ty))
            | Self::Deferred(Ending::Tried(ty))
            | Self::Returned(Returned::Whole(ty) | Returned::Tried(ty)) => Some(ty),
        }
    }
}

impl Handler {
    /// The parameters that senders give, in the order of the message. The tag of a default handler comes first.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (&Param, &Field)> {
        let is_tag = |param: &&Param| matches!(param, Param::Tag(_));
        let others = self
            .params
            .iter()
            .filter(move |param| !is_tag(param) && !matches!(param, Param::Reply(_)));
        let sent = self.params.iter().filter(is_tag).chain(others);
        sent.filter_map(|param| Some((param, param.field()?)))
    }

    /// The number of declared arguments, without rest and reply.
    pub(crate) fn arity(&self) -> usize {
        let args = self
            .params
            .iter()
            .filter(|param| matches!(param, Param::Arg(_)));
        args.count()
    }

    /// True if the port waits for it.
    pub(crate) fn is_async(&self) -> bool {
        matches!(self.way, Way::Async)
    }

    pub(crate) fn takes_cx(&self) -> bool {
        self.params.iter().any(|param| matches!(param, Param::Cx))
    }

    pub(crate) fn takes_origin(&self) -> bool {
        self.params
            .iter()
            .any(|param| matches!(param, Param::Origin))
    }

    pub(crate) fn has_rest(&self) -> bool {
        self.params
            .iter()
            .any(|param| matches!(param, Param::Rest(_)))
    }

    /// The number of optional arguments at the end, which may be left out.
    pub(crate) fn options(&self) -> usize {
        if self.has_rest() || self.is_default() {
            return 0;
        }
        options(self.sent().map(|(_, field)| field))
    }

    pub(crate) fn is_default(&self) -> bool {
        matches!(self.tag, Tag::Default)
    }

    pub(crate) fn is_answered(&self) -> bool {
        !matches!(self.answer, Answer::Nothing(_))
    }
}

/// The number of optional arguments at the end of these.
pub(crate) fn options<'a>(fields: impl Iterator<Item = &'a Field>) -> usize {
    let fields: Vec<&Field> = fields.collect();
    let is_option = |field: &&&Field| match &field.ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Option"),
        _ => false,
    };
    fields.iter().rev().take_while(is_option).count()
}
