//! How much there may be of everything.

/// Namespaces that are kept wired for workloads to come, unless the settings say otherwise.
pub const POOL_DEFAULT: usize = 8;
/// Namespaces that can be kept wired.
pub const POOL_MAX: usize = 256;
/// A group's or an alias's name, in bytes: DNS's longest name.
pub const NAME_BYTES_MAX: usize = 253;
/// Aliases of a workload.
pub const ALIASES_MAX: usize = 32;
/// Connections and datagram flows that a workload may have beyond its namespace at once. They are entries of the host's connection
/// tracking table, which all share.
pub const FLOWS_MAX: u32 = 8192;
/// How long what is left of a workload that ended waits for others to be cleared away together with it, in milliseconds.
pub const DOOMED_PAUSE_MS: u64 = 1000;
/// Workloads that ended after which nobody waits for more.
pub const DOOMED_MAX: usize = 256;
/// How often the kernel is asked whether a new link is usable, with a pause of a millisecond.
pub const LINK_RUNNING_TRIES: u32 = 1000;
/// Links that are removed at once. The kernel holds its lock for so many.
pub const LINKS_AT_ONCE: usize = 64;
/// The ports of the host that workloads without a wish are given, unless the settings say otherwise: ECS's own (PortMapping,
/// hostPort: 49153 to 65535).
pub const PORT_RANGE_DEFAULT: [u16; 2] = [49153, 65535];
/// How long `nft` may take, in seconds.
pub const NFT_TIMEOUT_S: u64 = 20;
/// How much of what `nft` says is kept, in bytes.
pub const NFT_OUTPUT_BYTES_MAX: u64 = 64 * 1024;
/// A record of a workload, in bytes.
pub const RECORD_BYTES_MAX: u64 = 256 * 1024;
/// Destinations that can be denied.
pub const DENIED_MAX: usize = 1024;
/// How long a connection of a health check may take to come about, in seconds.
pub const CONNECT_TIMEOUT_S: u64 = 60;
/// How much of the host's `/etc/resolv.conf` is read, in bytes.
pub const RESOLV_CONF_BYTES_MAX: u64 = 64 * 1024;
/// Name servers that questions are passed on to; the resolver of glibc takes so many, too.
pub const UPSTREAMS_MAX: usize = 3;
/// How long a name server may take before the next one is asked, in milliseconds.
pub const UPSTREAM_TIMEOUT_MS: u64 = 2500;
/// Questions of a workload that are being answered at once; what comes beyond them is dropped, as a full queue would.
pub const QUESTIONS_MAX: usize = 64;
/// Questions of all workloads that are being answered at once.
pub const QUESTIONS_OF_ALL_MAX: usize = 1024;
/// Connections of a workload to the resolver at once.
pub const RESOLVER_CONNECTIONS_MAX: usize = 8;
/// How long such a connection may be idle, in seconds.
pub const RESOLVER_IDLE_S: u64 = 10;
/// Addresses in one answer of the resolver's own.
pub const ANSWERS_MAX: usize = 16;
/// How long an answer of the resolver's own holds, in seconds.
pub const ANSWER_TTL_S: u32 = 5;
/// Connections through the userspace proxy to one published port at once.
pub const PROXY_CONNECTIONS_MAX: usize = 1024;
/// Peers of one published datagram port of the userspace proxy at once.
pub const PROXY_PEERS_MAX: usize = 1024;
/// How long such a peer may be silent, in seconds.
pub const PROXY_IDLE_S: u64 = 90;
