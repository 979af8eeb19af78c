//! The end of a response's body (RFC 9112 §6 and §7).

use std::io;

/// How the end of a body is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body.
    Nothing,
    /// This many bytes are left.
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

impl Framing {
    /// Returns how many of the next bytes belong to the body.
    ///
    /// # Errors
    ///
    /// If the first of them is invalid.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Nothing => Ok(0),
            Self::Length(left) => {
                let taken = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left -= taken as u64;
                Ok(taken)
            }
            Self::Chunked(chunks) => chunks.advance(bytes),
            Self::UntilClose => Ok(bytes.len()),
        }
    }

    /// Whether the body is complete.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Nothing | Self::Length(0) => true,
            Self::Chunked(chunks) => chunks.0 == Chunk::End,
            Self::Length(_) | Self::UntilClose => false,
        }
    }
}

/// Parses a chunked body (RFC 9112 §7.1), at least as strictly as awc, which parses it next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunks(Chunk);

/// The expected part of the chunked encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Chunk {
    #[default]
    Size,
    MoreSize(u64),
    BeforeExtension(u64),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    TrailerLine,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl Chunks {
    fn advance(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        while at < bytes.len() && self.0 != Chunk::End {
            if let Chunk::Data(left) = self.0 {
                let taken = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len() - at);
                at += taken;
                self.0 = match left - taken as u64 {
                    0 => Chunk::DataCr,
                    left => Chunk::Data(left),
                };
                continue;
            }
            let Some(next) = self.0.next(bytes[at]) else {
                // The bytes before are good; the next call returns the error.
                return match at {
                    0 => Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "its chunked encoding is invalid",
                    )),
                    _ => Ok(at),
                };
            };
            self.0 = next;
            at += 1;
        }
        Ok(at)
    }
}

impl Chunk {
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size, byte) => Self::MoreSize(hex(byte)?),
            (Self::MoreSize(size) | Self::BeforeExtension(size), b' ' | b'\t') => {
                Self::BeforeExtension(size)
            }
            (Self::MoreSize(size) | Self::BeforeExtension(size), b';') => Self::Extension(size),
            (Self::MoreSize(size) | Self::BeforeExtension(size) | Self::Extension(size), b'\r') => {
                Self::SizeLf(size)
            }
            (Self::MoreSize(size), byte) => Self::MoreSize(size.checked_mul(16)? + hex(byte)?),
            (Self::Extension(size), b'\t' | b' '..=b'~' | 0x80..) => Self::Extension(size),
            (Self::SizeLf(0), b'\n') => Self::TrailerLine,
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size,
            (Self::TrailerLine, b'\r') => Self::EndLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::TrailerLine | Self::Trailer, _) => Self::Trailer,
            (Self::TrailerLf, b'\n') => Self::TrailerLine,
            (Self::EndLf, b'\n') => Self::End,
            _ => return None,
        })
    }
}

fn hex(digit: u8) -> Option<u64> {
    char::from(digit).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(framing: Framing, bytes: &[u8], piece: usize) -> Result<(usize, bool), ()> {
        let mut framing = framing;
        let mut at = 0;
        while at < bytes.len() && !framing.is_over() {
            let end = bytes.len().min(at + piece);
            at += framing.advance(&bytes[at..end]).map_err(drop)?;
        }
        Ok((at, framing.is_over()))
    }

    #[test]
    fn a_body_ends_where_its_length_or_its_last_chunk_says() {
        let chunked = || Framing::Chunked(Chunks::default());
        for (framing, body, surplus, is_over) in [
            (Framing::Nothing, "", "x", true),
            (Framing::Length(0), "", "x", true),
            (Framing::Length(3), "abc", "x", true),
            (Framing::Length(4), "abc", "", false),
            (Framing::Length(u64::MAX), "abc", "", false),
            (Framing::UntilClose, "abc", "", false),
            (chunked(), "0\r\n\r\n", "HTTP", true),
            (chunked(), "3\r\nabc\r\n0\r\n\r\n", "x", true),
            (
                chunked(),
                "A;x=\"y z\"\r\n0123456789\r\n00\r\n\r\n",
                "",
                true,
            ),
            (
                chunked(),
                "3 \t;x\r\nabc\r\n0 \r\nX: y\r\nZ:\r\n\r\n",
                "x",
                true,
            ),
            (chunked(), "3\r\nabc\r\n0\r\n", "", false),
            (chunked(), "ffffffffffffffff\r\nabc", "", false),
        ] {
            let bytes = format!("{body}{surplus}");
            for piece in [1, 2, 3, 100] {
                let read = read(framing.clone(), bytes.as_bytes(), piece);
                assert_eq!(read, Ok((body.len(), is_over)), "{bytes:?} by {piece}");
            }
        }
    }

    #[test]
    fn what_are_no_chunks_is_an_error() {
        for body in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "3\nabc\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "1ffffffffffffffff\r\n",
            "3;\u{1}\r\n",
            "3 3\r\n",
        ] {
            let chunked = Framing::Chunked(Chunks::default());
            assert_eq!(read(chunked, body.as_bytes(), 1), Err(()), "{body:?}");
        }
    }
}
