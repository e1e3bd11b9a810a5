//! The wish that the server end, as every task of it sees it.

use tokio::sync::watch;

/// Tells whether the end is wished for. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// Wishes for the end; so does dropping it.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<bool>);

/// A wish that is not yet there, and who can utter it.
pub(crate) fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Utters the wish.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Waits until the end is wished for.
    pub(crate) async fn requested(&self) {
        // An error means that the stopper was dropped, which is the wish too.
        let _ = self.0.clone().wait_for(|wished| *wished).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_the_wish_and_a_dropped_stopper_is_one() {
        let (stopper, stop) = stop();
        let clone = stop.clone();
        assert!(tokio::time::timeout(std::time::Duration::ZERO, clone.requested()).await.is_err());
        stopper.stop();
        clone.requested().await;

        let (stopper, stop) = super::stop();
        drop(stopper);
        stop.requested().await;
    }
}
