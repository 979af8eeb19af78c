use bytes::Bytes;

#[cfg(feature = "gzip")]
use crate::batch::compressed::Compressed;

/// The body of a write.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) body: Bytes,
    /// Kept from one attempt to the next.
    #[cfg(feature = "gzip")]
    pub(crate) compressed: Compressed,
}

impl From<Bytes> for Payload {
    fn from(body: Bytes) -> Self {
        Self {
            body,
            #[cfg(feature = "gzip")]
            compressed: Compressed::default(),
        }
    }
}
