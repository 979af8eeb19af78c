use actix::{Message, Recipient};

/// The answer to a message, for the actor that owns the batch.
///
/// If the reply is dropped, because its holder panicked or was stopped, the message `if_lost` is
/// sent instead: the owner always gets an answer.
#[derive(Debug)]
pub(crate) struct Reply<M>
where
    M: Message<Result = ()> + Send,
    M::Result: Send,
{
    to: Recipient<M>,
    if_lost: Option<M>,
}

impl<M> Reply<M>
where
    M: Message<Result = ()> + Send,
    M::Result: Send,
{
    pub(crate) fn new(to: Recipient<M>, if_lost: M) -> Self {
        let if_lost = Some(if_lost);
        Self { to, if_lost }
    }

    /// Sends `answer(if_lost)`.
    pub(crate) fn send(mut self, answer: impl FnOnce(M) -> M) {
        if let Some(if_lost) = self.if_lost.take() {
            self.to.do_send(answer(if_lost));
        }
    }
}

impl<M> Drop for Reply<M>
where
    M: Message<Result = ()> + Send,
    M::Result: Send,
{
    fn drop(&mut self) {
        if let Some(if_lost) = self.if_lost.take() {
            self.to.do_send(if_lost);
        }
    }
}
