//! Gzip of whole files, with the feature `gzip`: `zcat` shows them.

use std::io;

use bytes::Bytes;

/// Whether this build can read and write compressed files.
pub(crate) const IS_AVAILABLE: bool = cfg!(feature = "gzip");

/// In bytes; no undamaged file is larger.
#[cfg(feature = "gzip")]
const MAX_DECOMPRESSED: u64 = 2 << 30;

#[cfg(feature = "gzip")]
pub(crate) fn compress(file: &[u8]) -> io::Result<Vec<u8>> {
    use std::io::Write as _;
    let memory = Vec::with_capacity(file.len() / 4 + 64);
    let mut encoder = flate2::write::GzEncoder::new(memory, flate2::Compression::fast());
    encoder.write_all(file)?;
    encoder.finish()
}

#[cfg(feature = "gzip")]
pub(crate) fn decompress(file: &[u8]) -> io::Result<Bytes> {
    use std::io::Read as _;
    let mut plain = Vec::with_capacity(file.len() * 4);
    // A decoder for several members, so that appended data is detected.
    let decoder = flate2::bufread::MultiGzDecoder::new(file);
    decoder.take(MAX_DECOMPRESSED).read_to_end(&mut plain)?;
    Ok(plain.into())
}

#[cfg(not(feature = "gzip"))]
pub(crate) fn compress(_: &[u8]) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(feature = "gzip"))]
pub(crate) fn decompress(_: &[u8]) -> io::Result<Bytes> {
    Err(io::ErrorKind::Unsupported.into())
}
