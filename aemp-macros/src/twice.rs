//! Two `#[port]` blocks of one type.
//!
//! Both would generate the same types, so the compiler would report some twenty mistakes instead of one. A block is
//! expanded without knowledge of others. So a type name that has had a block in the same file is looked up in the
//! source file. Only the diagnostics depend on the result.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use syn::{
    Block, File, Item, ItemImpl, ItemMod, Stmt,
    visit_mut::{self, VisitMut},
};

use crate::{errors::Errors, names, parse};

/// The file and the type of the blocks that this run of the compiler has expanded.
static EXPANDED: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());

/// Reports a block that is not the first of its type. Returns true if it is one.
pub(crate) fn reject(file: &Path, item: &ItemImpl, errors: &mut Errors) -> bool {
    let expanded = (file.to_owned(), names::readable(&item.self_ty));
    let mut known = EXPANDED.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.contains(&expanded) {
        known.push(expanded);
        return false;
    }
    drop(known);
    let source = fs::read_to_string(file).unwrap_or_default();
    let Ok(mut parsed) = syn::parse_file(&source) else {
        return false;
    };
    let mut search = Search {
        port: expanded.1,
        found: false,
    };
    search.visit_file_mut(&mut parsed);
    if search.found {
        let message = format_args!(
            "one `#[port]` block a type: `{}` has one above, so move the handlers together",
            search.port
        );
        errors.at(&item.self_ty, message);
    }
    search.found
}

/// Looks for two blocks of a type in one list of items. In another list, the name may be that of another type.
struct Search {
    port: String,
    found: bool,
}

impl Search {
    fn list<'a>(&mut self, items: impl Iterator<Item = &'a Item>) {
        let blocks = items.filter(|item| match item {
            Item::Impl(item) => {
                item.trait_.is_none()
                    && item.attrs.iter().any(|attr| parse::is(attr, "port"))
                    && names::readable(&item.self_ty) == self.port
            }
            _ => false,
        });
        self.found |= blocks.count() > 1;
    }
}

impl VisitMut for Search {
    fn visit_file_mut(&mut self, file: &mut File) {
        self.list(file.items.iter());
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &module.content {
            self.list(items.iter());
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        let items = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item),
            _ => None,
        });
        self.list(items);
        visit_mut::visit_block_mut(self, block);
    }
}
