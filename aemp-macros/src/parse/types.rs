//! Reading types: their names, and their borrows.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    GenericArgument, PathArguments, PathSegment, QSelf, Type, TypeParamBound, TypePath,
    TypeTraitObject, parse_quote,
    visit_mut::{self, VisitMut},
};

use crate::{errors::Errors, names::readable};

/// The last segment of a path type: the name that people use.
pub(super) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(TypePath { path, .. }) => path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// True if the type's name is this one.
pub(super) fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

/// The first type between the angle brackets of a type, if it has any.
pub(super) fn first_argument(ty: &Type) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &last_segment(ty)?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// True if the type is written `()`.
pub(super) fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// True if it is a list of untyped values.
pub(super) fn is_values(ty: &Type) -> bool {
    is_named(ty, "Args")
        || (is_named(ty, "Vec") && first_argument(ty).is_some_and(|ty| is_named(ty, "Value")))
}

/// The `dyn Error` in a type. It cannot be serialised.
pub(super) fn error_object(ty: &Type) -> Option<TypeTraitObject> {
    struct Find(Option<TypeTraitObject>);
    impl VisitMut for Find {
        fn visit_type_trait_object_mut(&mut self, object: &mut TypeTraitObject) {
            let is_error = |bound: &TypeParamBound| {
                matches!(bound, TypeParamBound::Trait(bound)
                    if bound.path.segments.last().is_some_and(|last| last.ident == "Error"))
            };
            if object.bounds.iter().any(is_error) {
                self.0.get_or_insert_with(|| object.clone());
            }
        }
    }
    let mut find = Find(None);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// True if it is certainly not a `Result`. For other types the compiler decides.
pub(super) fn is_no_result(ty: &Type) -> bool {
    const NONE: [&str; 12] = [
        "Option", "Vec", "String", "bool", "u8", "u16", "u32", "u64", "usize", "i32", "i64", "f64",
    ];
    match ty {
        Type::Path(path) => path.path.get_ident().map_or_else(
            || is_named(ty, "Option") || is_named(ty, "Vec"),
            |name| NONE.iter().any(|none| name == none),
        ),
        Type::Tuple(_) | Type::Array(_) => true,
        _ => false,
    }
}

/// Checks that values of the type can outlive the code that sends them. The error has the type to write instead. `place`
/// begins the sentence, such as "an argument".
pub(super) fn check_owned(ty: &Type, place: &str, errors: &mut Errors) {
    match ty {
        Type::Reference(reference) => {
            let owned = owned(&reference.elem);
            let given = readable(ty);
            errors.at(
                ty,
                format_args!(
                    "{place} is owned, since it travels: write `{owned}` instead of `{given}`"
                ),
            );
        }
        Type::ImplTrait(_) => {
            errors.at(
                ty,
                format_args!("{place} has one type, which is part of the message: write it out"),
            );
        }
        Type::Infer(_) => errors.at(ty, format_args!("{place} needs its type written out")),
        Type::Ptr(_) => {
            errors.at(
                ty,
                format_args!("{place} cannot be a pointer, which means nothing elsewhere"),
            );
        }
        _ => {
            if let Some(borrow) = borrow_in_tokens(ty.to_token_stream()) {
                let message = format_args!(
                    "{place} is owned, since it travels: write a type that borrows nothing"
                );
                errors.at(borrow, message);
            }
        }
    }
}

/// The owned type that replaces a reference to this one.
fn owned(referent: &Type) -> String {
    match referent {
        Type::Slice(slice) => format!("Vec<{}>", readable(&slice.elem)),
        ty if is_named(ty, "str") => "String".into(),
        ty if is_named(ty, "Path") => "PathBuf".into(),
        ty => readable(ty),
    }
}

/// The first reference or lifetime in the tokens of a type, except `'static` ones. A type with one borrows something.
pub(super) fn borrow_in_tokens(tokens: TokenStream) -> Option<TokenStream> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_static = |at: usize| {
        matches!(tokens.get(at), Some(TokenTree::Punct(tick)) if tick.as_char() == '\'')
            && matches!(tokens.get(at + 1), Some(TokenTree::Ident(name)) if name == "static")
    };
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Punct(tick) if tick.as_char() == '\'' && !is_static(at) => {
                return Some(tokens[at..].iter().take(2).cloned().collect());
            }
            TokenTree::Punct(punct) if punct.as_char() == '&' && !is_static(at + 1) => {
                return Some(token.clone().into());
            }
            TokenTree::Group(group) => {
                if let found @ Some(_) = borrow_in_tokens(group.stream()) {
                    return found;
                }
            }
            _ => {}
        }
    }
    None
}

/// The type with `Self` replaced by the port's type, because the type is named outside of the `impl` block.
pub(super) fn without_self(ty: &Type, port: &Type) -> Type {
    let mut ty = ty.clone();
    SelfType(port).visit_type_mut(&mut ty);
    ty
}

struct SelfType<'a>(&'a Type);

impl VisitMut for SelfType<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Path(path) = ty
            && path.qself.is_none()
            && path.path.is_ident("Self")
        {
            *ty = self.0.clone();
            return;
        }
        visit_mut::visit_type_mut(self, ty);
    }

    fn visit_type_path_mut(&mut self, path: &mut TypePath) {
        visit_mut::visit_type_path_mut(self, path);
        let first = path.path.segments.first();
        if path.qself.is_none() && first.is_some_and(|first| first.ident == "Self") {
            let port = self.0;
            let rest = path.path.segments.iter().skip(1);
            let written: TypePath = parse_quote!(<#port>::#(#rest)::*);
            path.qself = written.qself.map(|qself: QSelf| qself);
            path.path = written.path;
        }
    }
}
