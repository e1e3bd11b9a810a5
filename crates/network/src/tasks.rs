//! Tasks that end with what they are for.

use tokio::task::JoinHandle;

/// Tasks that end with what they are for.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    /// One more.
    pub(crate) fn push(&mut self, task: JoinHandle<()>) {
        self.0.push(task);
    }

    /// Ends them, and waits until what they held is let go.
    pub(crate) async fn end(mut self) {
        self.0.iter().for_each(JoinHandle::abort);
        for task in std::mem::take(&mut self.0) {
            // It was aborted, or had ended by itself.
            let _ = task.await;
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
