//! Reading what a container printed.

use platform::BoxFuture;
use platform::workloads::{DriverError, Printed, Printing};
use workload::WorkloadId;

use super::FakeNode;

/// Somebody who reads.
pub(super) struct Reader {
    node: FakeNode,
    source: (WorkloadId, String),
    position: u64,
    follow: bool,
}

/// What there is to read.
enum Now {
    Piece(Printed),
    End,
    Later,
}

impl Reader {
    pub(super) fn new(node: FakeNode, source: (WorkloadId, String), position: u64, follow: bool) -> Self {
        Self { node, source, position, follow }
    }

    fn now(&mut self) -> Result<Now, DriverError> {
        self.node.check()?;
        let inner = self.node.lock();
        let has_stopped = inner.workloads.get(&self.source.0).is_none_or(|fake| fake.observed.phase.is_final());
        let Some(output) = inner.output.get(&self.source) else {
            return Ok(if has_stopped || !self.follow { Now::End } else { Now::Later });
        };
        let lost_bytes = output.overwritten.saturating_sub(self.position);
        let from = self.position.max(output.overwritten);
        match output.pieces.iter().find(|piece| piece.next > from) {
            Some(piece) => {
                self.position = piece.next;
                Ok(Now::Piece(Printed { lost_bytes, ..piece.clone() }))
            }
            None if has_stopped || !self.follow => Ok(Now::End),
            None => Ok(Now::Later),
        }
    }
}

impl Printing for Reader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Printed>, DriverError>> {
        Box::pin(async {
            let printed = self.node.printed.clone();
            loop {
                let mut more = std::pin::pin!(printed.notified());
                more.as_mut().enable();
                match self.now()? {
                    Now::Piece(piece) => return Ok(Some(piece)),
                    Now::End => return Ok(None),
                    Now::Later => more.await,
                }
            }
        })
    }
}
