//! What is kept on disk: which addresses are the node's, and what each workload has. After a reboot it is worth nothing, so nothing
//! waits for the disk.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use workload::{NetworkMode, PortBinding, WorkloadId};

use crate::{Error, Subnet, limits};

/// What a workload has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) id: WorkloadId,
    pub(crate) mode: NetworkMode,
    /// Its place in the subnet, where it has an address.
    pub(crate) place: Option<u32>,
    /// Whether it has a link; without nft it has an address and none.
    pub(crate) linked: bool,
    pub(crate) group: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) ports: Vec<PortBinding>,
    /// In the host's namespace: the ports of loopback for local services and the endpoint.
    pub(crate) host_ports: Option<[u16; 2]>,
}

impl Record {
    /// The form of records that this program writes.
    pub(crate) const VERSION: u32 = 1;
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claim {
    subnet: Subnet,
}

/// The directory of the records.
#[derive(Debug)]
pub(crate) struct Records {
    directory: PathBuf,
}

impl Records {
    /// Opens it, made if nothing is there.
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        let records = Self { directory: directory.to_owned() };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(records.workloads())
            .map_err(Error::io(format!("make {}", records.workloads().display())))?;
        Ok(records)
    }

    /// Which addresses are the node's.
    pub(crate) fn subnet(&self) -> Result<Option<Subnet>, Error> {
        Ok(read::<Claim>(&self.directory.join("subnet.json"))?.map(|claim| claim.subnet))
    }

    /// Notes which addresses are the node's.
    pub(crate) fn set_subnet(&self, subnet: Subnet) -> Result<(), Error> {
        write(&self.directory, "subnet.json", &Claim { subnet })
    }

    /// What each workload has. What cannot be read is removed: it is a record of a program that is not this one's age.
    pub(crate) fn all(&self) -> Result<Vec<Record>, Error> {
        let failed = || Error::io(format!("list {}", self.workloads().display()));
        let mut found = Vec::new();
        for entry in fs::read_dir(self.workloads()).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            match read::<Record>(&path)? {
                Some(record) if record.version == Record::VERSION => found.push(record),
                _ => remove(&path)?,
            }
        }
        Ok(found)
    }

    /// Notes what a workload has.
    pub(crate) fn put(&self, record: &Record) -> Result<(), Error> {
        write(&self.workloads(), &format!("{}.json", record.id), record)
    }

    /// Forgets what a workload has.
    pub(crate) fn forget(&self, id: &WorkloadId) -> Result<(), Error> {
        remove(&self.workloads().join(format!("{id}.json")))
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        for record in self.all()? {
            self.forget(&record.id)?;
        }
        remove(&self.directory.join("subnet.json"))
    }

    fn workloads(&self) -> PathBuf {
        self.directory.join("workloads")
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let failed = || Error::io(format!("read {}", path.display()));
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed())?,
    };
    let mut text = Vec::new();
    file.take(limits::RECORD_BYTES_MAX).read_to_end(&mut text).map_err(failed())?;
    Ok(serde_json::from_slice(&text).ok())
}

/// Writes beside and renames, so that a process that ends in between leaves the old or the new.
fn write<T: Serialize>(directory: &Path, name: &str, value: &T) -> Result<(), Error> {
    let (path, new) = (directory.join(name), directory.join(format!("{name}.new")));
    let failed = || Error::io(format!("write {}", path.display()));
    let text = serde_json::to_vec(value).map_err(io::Error::from).map_err(failed())?;
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed())?;
    io::Write::write_all(&mut file, &text).map_err(failed())?;
    fs::rename(&new, &path).map_err(failed())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}
