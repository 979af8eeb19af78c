use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use awc::body::{BodySize, MessageBody};
use bytes::Bytes;

/// A body sent in pieces. The client copies each piece into its own buffer before it goes to the
/// socket, so that buffer stays small and in the CPU's cache.
#[derive(Debug)]
pub(super) struct PiecewiseBody(pub(super) Bytes);

const PIECE: usize = 64 << 10;

impl MessageBody for PiecewiseBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let left = &mut self.0;
        let piece = left.split_to(left.len().min(PIECE));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_pieces_are_the_body() {
        let body = Bytes::from((0..200_000).map(|number| number as u8).collect::<Vec<_>>());
        let mut piecewise = PiecewiseBody(body.clone());
        assert_eq!(piecewise.size(), BodySize::Sized(200_000));
        let mut next = || {
            let polled =
                std::future::poll_fn(|context| Pin::new(&mut piecewise).poll_next(context));
            polled.now_or_never().unwrap()
        };
        let pieces: Vec<_> = std::iter::from_fn(|| next().map(|Ok(piece)| piece)).collect();
        assert_eq!(pieces.len(), 4);
        assert_eq!(pieces.concat(), body);
    }
}
