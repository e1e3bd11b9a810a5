//! What is bounded, and by how much.
//!
//! Source: Lambda developer guide, "Lambda quotas", and GetAccountSettings of a new account.

/// The longest name of a function, in characters.
pub const FUNCTION_NAME_CHARS_MAX: usize = 64;
/// The largest archive in a request, in bytes.
pub const ZIPPED_BYTES_MAX: u64 = 52_428_800;
/// The largest archive in a bucket, in bytes: nothing larger can be unpacked to what a function may have.
pub const ZIPPED_OBJECT_BYTES_MAX: u64 = UNZIPPED_BYTES_MAX;
/// The most that a function's code may have unpacked, with its layers, in bytes.
pub const UNZIPPED_BYTES_MAX: u64 = 262_144_000;
/// What the code of all functions and layers of an account may have, in a region, in bytes: 75 GB.
pub const CODE_BYTES_MAX: u64 = 80_530_636_800;
/// How many executions an account may have at a time, in a region.
pub const CONCURRENT_EXECUTIONS_MAX: u32 = 1000;
/// What of that cannot be reserved.
pub const UNRESERVED_EXECUTIONS_MIN: u32 = 100;
/// The longest a function may run, in seconds.
pub const TIMEOUT_S_MAX: u32 = 900;
/// What it has unless it is said, in seconds.
pub const TIMEOUT_S_DEFAULT: u32 = 3;
/// The most memory of a function, in MiB.
pub const MEMORY_MIB_MAX: u32 = 10_240;
/// What it has unless it is said, in MiB.
pub const MEMORY_MIB_DEFAULT: u32 = 128;
/// The largest `/tmp`, in MiB.
pub const EPHEMERAL_MIB_MAX: u32 = 10_240;
/// What it has unless it is said, in MiB.
pub const EPHEMERAL_MIB_DEFAULT: u32 = 512;
/// What environment variables may have as JSON, in bytes.
pub const ENVIRONMENT_BYTES_MAX: usize = 4096;
/// How many layers a function may have.
pub const LAYERS_MAX: usize = 5;
/// The longest policy of a function or of a layer's version, in bytes.
pub const POLICY_BYTES_MAX: usize = 20_480;
/// The largest payload of an invocation that is waited for, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 6_291_456;
/// The largest payload of an event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1_048_576;
/// The longest client context, in bytes, as it is sent.
pub const CLIENT_CONTEXT_BYTES_MAX: usize = 3583;
/// How many files an archive may have. (Pilvi's own: it bounds what reading an archive's directory takes.)
pub const ARCHIVE_FILES_MAX: usize = 100_000;
