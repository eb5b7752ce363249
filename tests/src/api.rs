//! The public API of a crate as a list of lines, made from the JSON of rustdoc. `.ci/api` compares it with the list that is
//! kept, so that a change of the API is seen, and meant.
//!
//! The list has each item that is documented: its kind, its path, and its type. Paths within types are shortened to their last
//! part. Items that are hidden from the documentation are not part of the API, and rustdoc leaves them out.

mod render;

use std::collections::BTreeSet;

use serde_json::Value;

use self::render::{bounds, fields, generics, kind_of, signature, type_of, where_clause};

/// The version of rustdoc's JSON that is understood. Each release of Rust may bring another, mostly with differences that do not matter here: try
/// it, and raise the number if the lists stay the same.
const FORMAT: u64 = 57;

/// The lines of a crate's public API, sorted.
///
/// # Errors
///
/// A text that says why this is no JSON of rustdoc's, or of another version of it.
pub fn list(json: &str) -> Result<Vec<String>, String> {
    let krate: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let root = &krate["index"][krate["root"].to_string()];
    let format = &krate["format_version"];
    if format.as_u64() != Some(FORMAT) {
        return Err(format!("the format is {format}, and {FORMAT} is known"));
    }
    let mut api = Api {
        index: &krate["index"],
        lines: BTreeSet::new(),
    };
    api.module(root, &name(root));
    Ok(api.lines.into_iter().collect())
}

struct Api<'a> {
    index: &'a Value,
    lines: BTreeSet<String>,
}

fn name(item: &Value) -> String {
    item["name"].as_str().unwrap_or_default().into()
}

impl<'a> Api<'a> {
    /// An item of this crate. Those of other crates are not in the index.
    fn get(&self, id: &Value) -> Option<&'a Value> {
        self.index.get(id.to_string())
    }

    fn all(&self, ids: &'a Value) -> Vec<&'a Value> {
        let ids = ids.as_array().map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.get(id)).collect()
    }

    fn line(&mut self, line: String) {
        self.lines.insert(line);
    }

    fn module(&mut self, item: &'a Value, path: &str) {
        for item in self.all(&item["inner"]["module"]["items"]) {
            if item["visibility"] == "public" {
                self.item(item, &name(item), path);
            }
        }
    }

    fn item(&mut self, item: &'a Value, name: &str, parent: &str) {
        let (kind, inner) = kind_of(&item["inner"]);
        if kind == "use" {
            return self.reexport(inner, parent);
        }
        let path = format!("{parent}::{name}");
        match kind {
            "module" => {
                self.line(format!("mod {path}"));
                self.module(item, &path);
            }
            "struct" | "enum" | "union" => self.data(item, kind, inner, &path),
            "trait" => self.of_trait(inner, &path),
            "function" => self.line(format!("fn {path}{}", signature(inner))),
            "constant" => self.line(format!("const {path}: {}", type_of(&inner["type"]))),
            "type_alias" => self.line(format!(
                "type {path}{} = {}",
                generics(&inner["generics"]),
                type_of(&inner["type"])
            )),
            other => self.line(format!("{other} {path}")),
        }
    }

    /// An item that is re-exported from a private module of this crate is listed like one that stands here. Of an item
    /// of another crate only the name is known.
    fn reexport(&mut self, inner: &'a Value, parent: &str) {
        let target = self.get(&inner["id"]);
        match (target, inner["is_glob"] == true) {
            (Some(module), true) => self.module(module, parent),
            (Some(item), false) => {
                let name = inner["name"].as_str().unwrap_or_default();
                self.item(item, name, parent);
            }
            (None, _) => {
                let source = inner["source"].as_str().unwrap_or_default();
                let name = inner["name"].as_str().unwrap_or_default();
                self.line(format!("use {parent}::{name} = {source}"));
            }
        }
    }

    fn data(&mut self, item: &'a Value, kind: &str, inner: &'a Value, path: &str) {
        let exhaustive = match item["attrs"].to_string().contains("non_exhaustive") {
            true => "#[non_exhaustive] ",
            false => "",
        };
        let generics = generics(&inner["generics"]);
        let bounds = where_clause(&inner["generics"]);
        self.line(format!("{exhaustive}{kind} {path}{generics}{bounds}"));
        for field in self.all(fields(&inner["kind"])) {
            if field["visibility"] == "public" {
                self.field(field, path);
            }
        }
        for variant in self.all(&inner["variants"]) {
            let path = format!("{path}::{}", name(variant));
            self.line(format!("variant {path}"));
            for field in self.all(fields(&variant["inner"]["variant"]["kind"])) {
                self.field(field, &path);
            }
        }
        for item in self.all(&inner["impls"]) {
            self.implementation(&item["inner"]["impl"], path);
        }
    }

    fn field(&mut self, field: &'a Value, path: &str) {
        let of = type_of(&field["inner"]["struct_field"]);
        self.line(format!("field {path}::{}: {of}", name(field)));
    }

    /// Marker traits that the compiler derives, and implementations for all types, are left out.
    fn implementation(&mut self, inner: &'a Value, path: &str) {
        if inner["is_synthetic"] == true || !inner["blanket_impl"].is_null() {
            return;
        }
        if inner["trait"].is_null() {
            for item in self.all(&inner["items"]) {
                if item["visibility"] == "public" {
                    self.item(item, &name(item), path);
                }
            }
            return;
        }
        let parameters = generics(&inner["generics"]);
        let of = type_of(&serde_json::json!({ "resolved_path": inner["trait"] }));
        let to = type_of(&inner["for"]);
        let bounds = where_clause(&inner["generics"]);
        self.line(format!(
            "impl {path}: impl{parameters} {of} for {to}{bounds}"
        ));
    }

    fn of_trait(&mut self, inner: &'a Value, path: &str) {
        let parameters = generics(&inner["generics"]);
        let above = bounds(&inner["bounds"], ": ");
        let clause = where_clause(&inner["generics"]);
        self.line(format!("trait {path}{parameters}{above}{clause}"));
        for item in self.all(&inner["items"]) {
            let (kind, inner) = kind_of(&item["inner"]);
            let path = format!("{path}::{}", name(item));
            self.line(match kind {
                "function" => {
                    let provided = if inner["has_body"] == true {
                        "provided "
                    } else {
                        ""
                    };
                    format!("{provided}fn {path}{}", signature(inner))
                }
                "assoc_type" => format!("type {path}{}", bounds(&inner["bounds"], ": ")),
                _ => format!("const {path}: {}", type_of(&inner["type"])),
            });
        }
    }
}
