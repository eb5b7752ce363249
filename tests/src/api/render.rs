//! Types and signatures as text, from rustdoc's JSON. An unknown construct is shown as `?`, and is not an error.

use serde_json::Value;

/// The kind of an item, and its parts.
pub(super) fn kind_of(inner: &Value) -> (&str, &Value) {
    let entry = inner.as_object().and_then(|inner| inner.iter().next());
    entry.map_or(("?", inner), |(kind, inner)| (kind, inner))
}

/// The fields of a struct or variant, whose identifiers are listed in one of two ways.
pub(super) fn fields(kind: &Value) -> &Value {
    let named = &kind["struct"]["fields"];
    let named = if named.is_null() {
        &kind["plain"]["fields"]
    } else {
        named
    };
    if named.is_null() {
        &kind["tuple"]
    } else {
        named
    }
}

fn list(values: &Value, separator: &str, text: impl FnMut(&Value) -> String) -> String {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    values.iter().map(text).collect::<Vec<_>>().join(separator)
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("<{text}>")
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// A function's parameters and result.
pub(super) fn signature(function: &Value) -> String {
    let (sig, header) = (&function["sig"], &function["header"]);
    let inputs = list(&sig["inputs"], ", ", |input| {
        let (name, of) = (text(&input[0]), type_of(&input[1]));
        match (name, &*of) {
            ("self", "Self") => "self".into(),
            ("self", "&Self") => "&self".into(),
            ("self", "&mut Self") => "&mut self".into(),
            _ => format!("{name}: {of}"),
        }
    });
    let output = match &sig["output"] {
        Value::Null => String::new(),
        of => format!(" -> {}", type_of(of)),
    };
    let parameters = generics(&function["generics"]);
    let clause = where_clause(&function["generics"]);
    let words = ["const", "async", "unsafe"].into_iter();
    let is = |word: &&str| header[format!("is_{word}")] == true;
    let words: Vec<&str> = words.filter(is).collect();
    let words = if words.is_empty() {
        String::new()
    } else {
        format!(" [{}]", words.join(" "))
    };
    format!("{parameters}({inputs}){output}{clause}{words}")
}

/// Parameters in angle brackets, or nothing. Those that stand for an `impl Trait` are named where they are used.
pub(super) fn generics(of: &Value) -> String {
    let params = of["params"].as_array().map_or(&[][..], Vec::as_slice);
    let shown = params.iter().filter_map(|param| {
        let (name, (kind, inner)) = (text(&param["name"]), kind_of(&param["kind"]));
        match kind {
            "type" if inner["is_synthetic"] == true => None,
            "type" => Some(format!("{name}{}", bounds(&inner["bounds"], ": "))),
            "const" => Some(format!("const {name}: {}", type_of(&inner["type"]))),
            _ => Some(name.into()),
        }
    });
    in_brackets(&shown.collect::<Vec<_>>().join(", "))
}

/// The conditions behind `where`, or nothing.
pub(super) fn where_clause(of: &Value) -> String {
    let conditions = list(&of["where_predicates"], ", ", |condition| {
        let (kind, inner) = kind_of(condition);
        match kind {
            "bound_predicate" => {
                format!(
                    "{}{}",
                    type_of(&inner["type"]),
                    bounds(&inner["bounds"], ": ")
                )
            }
            "lifetime_predicate" => format!(
                "{}: {}",
                text(&inner["lifetime"]),
                list(&inner["outlives"], " + ", |lifetime| text(lifetime).into())
            ),
            _ => "?".into(),
        }
    });
    if conditions.is_empty() {
        return conditions;
    }
    format!(" where {conditions}")
}

/// Bounds, joined by `+`, with that in front, or nothing.
pub(super) fn bounds(of: &Value, front: &str) -> String {
    let bounds = list(of, " + ", |bound| {
        let (kind, inner) = kind_of(bound);
        match kind {
            "trait_bound" => {
                let maybe = if inner["modifier"] == "maybe" {
                    "?"
                } else {
                    ""
                };
                format!("{maybe}{}", path(&inner["trait"]))
            }
            "outlives" => text(inner).into(),
            other => other.into(),
        }
    });
    if bounds.is_empty() {
        return bounds;
    }
    format!("{front}{bounds}")
}

/// The last part of a path, with its arguments.
fn path(of: &Value) -> String {
    let whole = of["path"].as_str().or_else(|| of["name"].as_str());
    let last = whole.unwrap_or("?").rsplit("::").next().unwrap_or_default();
    format!("{last}{}", arguments(&of["args"]))
}

fn arguments(of: &Value) -> String {
    let (kind, inner) = kind_of(of);
    match kind {
        "angle_bracketed" => {
            let args = list(&inner["args"], ", ", argument);
            let named = list(&inner["constraints"], ", ", constraint);
            let separator = if args.is_empty() || named.is_empty() {
                ""
            } else {
                ", "
            };
            in_brackets(&format!("{args}{separator}{named}"))
        }
        "parenthesized" => {
            let output = match &inner["output"] {
                Value::Null => String::new(),
                of => format!(" -> {}", type_of(of)),
            };
            format!("({}){output}", list(&inner["inputs"], ", ", type_of))
        }
        _ => String::new(),
    }
}

fn argument(of: &Value) -> String {
    let (kind, inner) = kind_of(of);
    match kind {
        "type" => type_of(inner),
        "lifetime" => text(inner).into(),
        "const" => text(&inner["expr"]).into(),
        _ => "_".into(),
    }
}

fn constraint(of: &Value) -> String {
    let (name, (kind, inner)) = (text(&of["name"]), kind_of(&of["binding"]));
    match kind {
        "equality" => format!("{name} = {}", argument(inner)),
        _ => format!("{name}{}", bounds(inner, ": ")),
    }
}

/// A type.
pub(super) fn type_of(of: &Value) -> String {
    let (kind, inner) = kind_of(of);
    match kind {
        "resolved_path" => path(inner),
        "generic" | "primitive" => text(inner).into(),
        "tuple" => format!("({})", list(inner, ", ", type_of)),
        "slice" => format!("[{}]", type_of(inner)),
        "array" => format!("[{}; {}]", type_of(&inner["type"]), text(&inner["len"])),
        "impl_trait" => format!("impl {}", bounds(inner, "")),
        "dyn_trait" => {
            let traits = list(&inner["traits"], " + ", |one| path(&one["trait"]));
            let lifetime = inner["lifetime"].as_str();
            let lifetime = lifetime.map_or(String::new(), |lifetime| format!(" + {lifetime}"));
            format!("dyn {traits}{lifetime}")
        }
        "borrowed_ref" => {
            let lifetime = inner["lifetime"].as_str();
            let lifetime = lifetime.map_or(String::new(), |lifetime| format!("{lifetime} "));
            let mutable = if inner["is_mutable"] == true {
                "mut "
            } else {
                ""
            };
            format!("&{lifetime}{mutable}{}", type_of(&inner["type"]))
        }
        "qualified_path" => format!("{}::{}", type_of(&inner["self_type"]), text(&inner["name"])),
        "function_pointer" => format!("fn{}", signature(inner)),
        _ => "?".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_shown_as_they_are_written() {
        let text = json!({ "borrowed_ref": {
            "lifetime": "'a", "is_mutable": true, "type": { "resolved_path": {
                "path": "std::vec::Vec", "id": 1, "args": { "angle_bracketed": {
                    "args": [{ "type": { "primitive": "u8" } }], "constraints": [] } } } } } });
        assert_eq!(type_of(&text), "&'a mut Vec<u8>");
        assert_eq!(type_of(&json!({ "something_new": {} })), "?");
    }

    #[test]
    fn signatures_have_the_parts_that_callers_see() {
        let function = json!({
            "header": { "is_async": true, "is_const": false, "is_unsafe": false },
            "generics": { "params": [{ "name": "T", "kind": { "type": { "bounds": [{ "trait_bound": {
                "trait": { "path": "Into", "args": null }, "modifier": "none" } }], "is_synthetic": false } } }],
                "where_predicates": [] },
            "sig": { "inputs": [["self", { "borrowed_ref": { "lifetime": null, "is_mutable": false, "type": { "generic": "Self" } } }],
                ["value", { "generic": "T" }]], "output": { "primitive": "bool" } },
        });
        assert_eq!(
            signature(&function),
            "<T: Into>(&self, value: T) -> bool [async]"
        );
    }
}
