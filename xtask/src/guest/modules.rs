//! Which modules of the kernel a guest loads, and in which order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What containers and their networks need, where the kernel has it as a module.
const WANTED: [&str; 22] = [
    "overlay",
    "loop",
    "ext4",
    "veth",
    "bridge",
    "br_netfilter",
    "nf_tables",
    "nft_chain_nat",
    "nft_nat",
    "nft_masq",
    "nft_redir",
    "nft_ct",
    "nft_connlimit",
    "nf_conntrack_netlink",
    "nft_fib_inet",
    "nft_fib_ipv4",
    "nft_reject_inet",
    "nft_numgen",
    "nft_limit",
    "nft_log",
    "nft_meta_bridge",
    "nft_reject_bridge",
];

/// The files of the modules that are wanted, each after those that it depends on. What is built into the kernel is no file.
pub(super) fn in_order(modules: &Path) -> Result<Vec<PathBuf>> {
    let mut files = BTreeMap::new();
    find(&modules.join("kernel"), &mut files)?;
    let mut ordered = Vec::new();
    for wanted in WANTED {
        add(wanted, &files, &mut ordered)?;
    }
    Ok(ordered)
}

fn find(directory: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".ko")) {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn add(name: &str, files: &BTreeMap<String, PathBuf>, ordered: &mut Vec<PathBuf>) -> Result<()> {
    let Some(file) = files.get(name) else { return Ok(()) };
    if ordered.contains(file) {
        return Ok(());
    }
    for needed in depends(file)? {
        add(&needed, files, ordered)?;
    }
    ordered.push(file.clone());
    Ok(())
}

/// What a module says that it depends on: `depends=a,b` among its information, which ends with a zero.
fn depends(file: &Path) -> Result<Vec<String>> {
    const KEY: &[u8] = b"\0depends=";
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let Some(at) = bytes.windows(KEY.len()).position(|window| window == KEY) else { return Ok(Vec::new()) };
    let list: Vec<u8> = bytes[at + KEY.len()..].iter().copied().take_while(|&byte| byte != 0).collect();
    let list = String::from_utf8_lossy(&list);
    Ok(list.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect())
}
