//! What every runtime has below it: the directories of a function, the C library, a shell and the tools that scripts use,
//! certificates, time zones.
//!
//! AWS's own base image has a shell and these tools, too, and AWS's tutorial of a custom runtime is a shell script with `curl`.
//! What this machine lacks of them is left out: a program that needs nothing runs anyway.

use std::path::Path;

use super::super::libraries::Libraries;
use super::super::tree::Tree;
use super::programs;

/// Where functions and their layers are, what is writable, and what the sandbox mounts. (Developer guide: "Lambda execution
/// environment".)
const DIRECTORIES: [(&str, u32); 11] = [
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/opt", 0o755),
    ("/proc", 0o755),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/sys", 0o755),
    ("/tmp", 0o1777),
    ("/var/runtime", 0o755),
    ("/var/task", 0o755),
    ("/var/tmp", 0o1777),
];

/// What is a link on most systems: scripts begin with `#!/bin/sh`.
const LINKS: [&str; 4] = ["/bin", "/lib", "/lib64", "/sbin"];

/// Users by the numbers that functions run as.
const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\n\
                      sbx_user1051:x:993:990::/tmp:/sbin/nologin\n\
                      nobody:x:65534:65534:Nobody:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nsbx_user1051:x:990:\nnobody:x:65534:\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// The tools of scripts.
const TOOLS: [&str; 56] = [
    "awk",
    "base64",
    "basename",
    "bash",
    "cat",
    "chmod",
    "cp",
    "curl",
    "cut",
    "date",
    "dirname",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hostname",
    "id",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mktemp",
    "mv",
    "nproc",
    "od",
    "printenv",
    "printf",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "uname",
    "uniq",
    "wc",
    "which",
    "xargs",
];

/// Libraries that programs open by their names, or need so often that every system has them.
const LIBRARIES: [&str; 12] = [
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
];

/// Where systems have the certificates of authorities, as one file.
const AUTHORITIES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Where they are in an image, and by which names programs look for them.
const AUTHORITIES_WITHIN: &str = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem";
pub(super) const AUTHORITIES_NAMES: [&str; 4] = [
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
];
/// The largest file of certificates that is taken, in bytes.
const AUTHORITIES_BYTES_MAX: u64 = 8 * 1024 * 1024;

const ZONES: &str = "/usr/share/zoneinfo";
/// The only locale that is not English alone, where the C library does not bring it in itself.
const LOCALE: &str = "/usr/lib/locale/C.utf8";

/// The lowest layer.
pub(super) fn tree(libraries: &Libraries) -> Tree {
    let mut tree = Tree::default();
    for (path, mode) in DIRECTORIES {
        tree.directory(path, mode);
    }
    for (path, text) in [("/etc/passwd", PASSWD), ("/etc/group", GROUP), ("/etc/nsswitch.conf", NSSWITCH)] {
        tree.own(path, text, false);
    }
    for path in LINKS {
        // Where they are directories of their own, what lies in them comes by itself.
        let _ = tree.host_link(Path::new(path));
    }
    add_authorities(&mut tree);
    for name in TOOLS {
        if let Some(path) = programs(name).next() {
            // What lacks a library does not run here either.
            let _ = libraries.add(&mut tree, &path);
        }
    }
    for name in LIBRARIES {
        libraries.add_named(&mut tree, name);
    }
    // The same zones again, counted with leap seconds or without, are left out.
    let is_zone = |path: &Path| !path.starts_with("right") && !path.starts_with("posix");
    for directory in [ZONES, LOCALE] {
        let mut with = tree.clone();
        if with.host_directory(Path::new(directory), &is_zone).is_ok() {
            tree = with;
        }
    }
    tree
}

fn add_authorities(tree: &mut Tree) {
    let is_small =
        |path: &&&str| std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= AUTHORITIES_BYTES_MAX);
    let Some(bytes) = AUTHORITIES.iter().find(is_small).and_then(|path| std::fs::read(path).ok()) else { return };
    tree.own(AUTHORITIES_WITHIN, bytes, false);
    for name in AUTHORITIES_NAMES {
        tree.link(Path::new(name), AUTHORITIES_WITHIN);
    }
}
