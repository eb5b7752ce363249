//! postcard, appended to a vector: the crate itself writes to new vectors and to slices only.

use postcard::ser_flavors::Flavor;

/// A vector that packets are appended to.
#[derive(Debug)]
pub struct Appended<'a>(pub &'a mut Vec<u8>);

impl Flavor for Appended<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
