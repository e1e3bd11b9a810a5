//! Why a host cannot join, or stay.

use std::io;
use std::path::PathBuf;

use crate::gate::InvalidToken;
use crate::gate::words::{Refusal, RefusalKind};

/// The longest message of the server's that is repeated, in bytes.
const MESSAGE_BYTES_MAX: usize = 512;

/// Why a host cannot join, or stay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Not where a server can be.
    #[error("`{given}` is not https://HOST:PORT")]
    Url {
        /// What was given.
        given: String,
    },
    /// Not a token.
    #[error(transparent)]
    Token(#[from] InvalidToken),
    /// The server is not reached.
    #[error("{server} cannot be reached")]
    Unreachable {
        /// Where it should be.
        server: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another server answers, or something that is none.
    #[error("{server} is not the server that the token is of")]
    Impostor {
        /// Where.
        server: String,
    },
    /// The server took too long.
    #[error("{server} does not answer")]
    Silent {
        /// Where it is.
        server: String,
    },
    /// The connection broke, or what came is not to be understood.
    #[error("{server} answers what is not to be understood: {reason}")]
    Confused {
        /// Where it is.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// The server says no, and would again.
    #[error("the server refuses: {message}")]
    Refused {
        /// What it says.
        message: String,
    },
    /// The server does not know this node any more. It has to join again, with a new token.
    #[error("this node was removed: to join again it needs a new token ({message})")]
    Removed {
        /// What it says.
        message: String,
    },
    /// The certificate's time is over, as the server sees it. It may see it otherwise when its clock is set.
    #[error("the server takes this node for out of date: are both clocks right? Else it has to join again ({message})")]
    Expired {
        /// What it says.
        message: String,
    },
    /// The server cannot now.
    #[error("the server cannot answer now: {message}")]
    Busy {
        /// What it says.
        message: String,
    },
    /// What is kept of the membership is damaged.
    #[error("{} is damaged: remove it, and join again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// This node has joined already, elsewhere or under another name.
    #[error("this node directory belongs to the node {name} of {server}: another one is needed (--node-dir)")]
    Another {
        /// Its name there.
        name: String,
        /// Where.
        server: String,
    },
    /// What is kept of the membership cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key cannot be made or used.
    #[error("a key cannot be made")]
    Key,
}

impl JoinError {
    pub(super) fn refused(refusal: Refusal) -> Self {
        let mut message = refusal.message;
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        let message = message.replace(char::is_control, " ");
        match refusal.kind {
            RefusalKind::Unknown => Self::Removed { message },
            RefusalKind::Expired => Self::Expired { message },
            RefusalKind::Busy => Self::Busy { message },
            RefusalKind::Token | RefusalKind::Name | RefusalKind::Denied | RefusalKind::Wrong => {
                Self::Refused { message }
            }
        }
    }

    /// Whether the same will fail the same way until somebody does something about it.
    pub fn is_permanent(&self) -> bool {
        let passes = matches!(
            self,
            Self::Unreachable { .. }
                | Self::Silent { .. }
                | Self::Busy { .. }
                | Self::Confused { .. }
                | Self::Expired { .. }
        );
        !passes
    }

    /// Whether it ends a membership: only what its server itself says does, or what will not be right again here. Somebody else
    /// who answers in its place, at its address or on the way, says nothing about it; a disk that is full will not be.
    pub fn ends_membership(&self) -> bool {
        self.is_permanent() && !matches!(self, Self::Impostor { .. } | Self::File { .. })
    }
}
