//! Items with tags: large integers, Perl's references to scalars, and references to earlier values.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use super::item::{Contents, Head};
use super::reader::CborReader;
use super::{number, survey, tag};
use crate::error::DecodeError;
use crate::lenient::Scalar;
use crate::source::{Item, Source};

impl<'de> CborReader<'de> {
    /// The item behind one or more tags.
    #[cold]
    pub(super) fn tagged(&mut self, mut head: Head) -> Result<Item<'de, Contents>, DecodeError> {
        let (mut back, mut big, mut indirect) = (None, None, false);
        while head.is_tag() {
            match self.tag(head)? {
                tag::STRING | tag::REFERENCE => {
                    let target = self.follow(head)?;
                    back.get_or_insert(self.at);
                    self.at = target;
                }
                tag @ (tag::BIG | tag::BIG_NEGATIVE) => big = Some(tag == tag::BIG_NEGATIVE),
                tag::INDIRECTION => indirect = true,
                _ => {}
            }
            head = self.head()?;
        }
        self.at -= head.size();
        let behind = |contents| Contents {
            back: back.and_then(NonZeroUsize::new),
            ..contents
        };
        Ok(match self.item()? {
            Item::Array(contents) => Item::Array(behind(contents)),
            Item::Map(contents) => Item::Map(behind(contents)),
            Item::Scalar(scalar) => {
                self.at = back.unwrap_or(self.at);
                Item::Scalar(match (big, scalar) {
                    (Some(negative), Scalar::Bytes(octets)) => number::big(&octets, negative)?,
                    (_, Scalar::Int(n @ 0..=1)) if indirect => Scalar::Bool(n == 1),
                    (_, scalar) => scalar,
                })
            }
        })
    }

    /// Passes over the next item, which has a tag, if it is null.
    #[cold]
    pub(super) fn is_tagged_nothing(&mut self) -> Result<bool, DecodeError> {
        let before = (self.at, self.again);
        let nothing = matches!(self.item()?, Item::Scalar(Scalar::Null));
        if !nothing {
            (self.at, self.again) = before;
        }
        Ok(nothing)
    }

    /// The number of a tag.
    pub(super) fn tag(&self, head: Head) -> Result<u64, DecodeError> {
        if head.is_indefinite() {
            return Err(self.malformed(head, "a tag without number"));
        }
        Ok(head.value)
    }

    /// The target of the reference whose tag was the last head. Passes over the number of the reference.
    fn follow(&mut self, head: Head) -> Result<usize, DecodeError> {
        let target = self.target(head)?;
        self.head()?;
        let target = target.ok_or_else(|| DecodeError::mismatch("a value that contains itself"))?;
        let left = self.again.checked_sub(target.len());
        self.again =
            left.ok_or_else(|| DecodeError::mismatch("references make the packet too large"))?;
        Ok(target.start)
    }

    /// The target of that reference; `None` if the target contains the reference.
    pub(super) fn target(&mut self, head: Head) -> Result<Option<Range<usize>>, DecodeError> {
        let references = match &self.references {
            Some(references) => Arc::clone(references),
            None => Arc::new(survey::references(self)?),
        };
        let references = self.references.insert(references);
        let target = references.target(self.at - head.size());
        target.ok_or_else(|| self.malformed(head, "a reference to nothing"))
    }
}
