//! The servers under test, and requests to them.

use anyhow::{Context, Result, ensure};
use http::{HeaderName, Method};
use serde::Serialize;
use wire::sigv4::SignableBody;

use super::cell::Who;
use super::disk::Disk;
use super::nginx::Nginx;
use crate::oci::connection::{Answer, Connection};
use crate::peer::{Both, Kind, Server};
use crate::processes::{self, CpuTicks};
use crate::setting::Setting;
use crate::signed::{Bound, Caller, Plain};

/// Where objects are put and got.
pub(super) const BUCKET: &str = "bench-objects";
/// The bucket that is listed.
pub(super) const LISTED: &str = "bench-listed";

/// Everybody who takes part.
pub(super) struct Stage {
    servers: Both<Server>,
    callers: Both<Caller>,
    pub(super) nginx: Nginx,
    pub(super) disk: Disk,
}

/// Whose processor time is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched(Option<u32>);

/// The most memory that Pilvi held from its start until a moment.
#[derive(Debug, Serialize)]
pub(super) struct Peak {
    pub(super) until: String,
    /// Of the process that had most: the server.
    pub(super) pilvi_server_mib: f64,
    /// Of all its processes, added up.
    pub(super) pilvi_all_mib: f64,
    pub(super) moto_mib: f64,
}

/// A request whose body may follow.
#[derive(Debug, Clone)]
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: &'a str,
    pub(super) headers: &'a [(HeaderName, &'a str)],
    pub(super) body: SignableBody<'a>,
    pub(super) length: u64,
}

impl<'a> Asked<'a> {
    /// A request without a body.
    pub(super) fn plain(method: Method, target: &'a str) -> Self {
        Self { method, target, headers: &[], body: SignableBody::Bytes(b""), length: 0 }
    }
}

impl Watched {
    /// Nobody's.
    pub(super) const fn nobody() -> Self {
        Self(None)
    }

    pub(super) fn ticks(self) -> Option<CpuTicks> {
        self.0.map(CpuTicks::now)
    }
}

impl Stage {
    /// Starts all of them, and makes the buckets.
    pub(super) fn start(setting: &Setting) -> Result<Self> {
        let folder = |name: &str| setting.scratch.join(name);
        let start = |kind: Kind| Ok(Server::start(setting, kind, &folder(kind.name()), &Plain::identity())?.0);
        let servers = Both::make(start)?;
        let callers = Both::make(|kind| servers.of(kind).caller())?;
        let stage =
            Self { servers, callers, nginx: Nginx::start(&folder("nginx"))?, disk: Disk::new(&folder("disk"))? };
        for who in [Who::Pilvi, Who::Moto] {
            let mut connection = stage.connect(who)?;
            for bucket in [BUCKET, LISTED] {
                let head = stage.head(who, &Asked::plain(Method::PUT, &format!("/{bucket}")))?;
                ensure_status(&connection.exchange(&head, &[])?, 200).with_context(|| stage.last_words(who))?;
            }
        }
        Ok(stage)
    }

    pub(super) fn stop(self) -> Result<()> {
        self.servers.pilvi.stop()?;
        self.servers.moto.stop()?;
        self.nginx.daemon.stop()
    }

    /// The head of a request to a server of S3, signed.
    pub(super) fn head(&self, who: Who, asked: &Asked<'_>) -> Result<String> {
        let Asked { method, target, headers, body, length } = asked.clone();
        self.callers.of(kind(who)?).head(&Bound { service: "s3", method, target, headers, body, length })
    }

    pub(super) fn connect(&self, who: Who) -> Result<Connection> {
        Connection::open(self.address(who)?)
    }

    pub(super) fn address(&self, who: Who) -> Result<std::net::SocketAddr> {
        if who == Who::Nginx {
            return Ok(self.nginx.address);
        }
        Ok(self.servers.of(kind(who)?).address())
    }

    pub(super) fn watched(&self, who: Who) -> Watched {
        Watched(match who {
            Who::Pilvi => Some(self.servers.pilvi.pid()),
            Who::Moto => Some(self.servers.moto.pid()),
            Who::Nginx => Some(self.nginx.daemon.pid()),
            Who::Disk => None,
        })
    }

    pub(super) fn last_words(&self, who: Who) -> String {
        match who {
            Who::Pilvi => self.servers.pilvi.last_words(),
            Who::Moto => self.servers.moto.last_words(),
            Who::Nginx => self.nginx.daemon.last_words(),
            Who::Disk => "the disk".to_owned(),
        }
    }

    pub(super) fn peak(&self, until: &str) -> Peak {
        let pilvi = self.servers.pilvi.pid();
        Peak {
            until: until.to_owned(),
            pilvi_server_mib: processes::peak_mib_of_largest(pilvi),
            pilvi_all_mib: processes::peak_mib_of_tree(pilvi),
            moto_mib: processes::peak_mib_of_tree(self.servers.moto.pid()),
        }
    }
}

fn kind(who: Who) -> Result<Kind> {
    match who {
        Who::Pilvi => Ok(Kind::Pilvi),
        Who::Moto => Ok(Kind::Moto),
        Who::Disk | Who::Nginx => anyhow::bail!("{} knows no S3", who.name()),
    }
}

/// That an answer is the one that was wanted.
pub(super) fn ensure_status(answer: &Answer, status: u16) -> Result<()> {
    let found = answer.head.status;
    ensure!(found == status, "HTTP {found} instead of {status}: {}", String::from_utf8_lossy(&answer.body));
    Ok(())
}
