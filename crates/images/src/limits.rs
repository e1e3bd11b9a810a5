//! How much one layer may cost.

/// Bounds on what a layer is unpacked to. The defaults let every image through that AWS would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of the uncompressed archive. By default 200 GiB, the most ephemeral storage that a Fargate task can
    /// have for its image and itself.
    pub archive_bytes_max: u64,
    /// The most files, directories and links, those that were replaced and those that were only implied included. By
    /// default a million.
    pub entries_max: u64,
    /// The longest file, its holes included, in bytes. By default 16 TiB, the longest that ext4 can have.
    pub file_bytes_max: u64,
    /// How many times larger than its blob a layer may be, beyond the first [`Self::ratio_free_bytes`]. By default 200:
    /// what people ship is 2 to 20, what deflate can do is 1,032, zstd has no bound.
    pub ratio_max: u64,
    /// How many bytes of the uncompressed archive are free of that ratio. By default 2 GiB: empty disk images and the like
    /// are honest.
    pub ratio_free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes_max: 200 << 30,
            entries_max: 1_000_000,
            file_bytes_max: 16 << 40,
            ratio_max: 200,
            ratio_free_bytes: 2 << 30,
        }
    }
}

/// What an archive that is no layer is unpacked to at most: a gigabyte, in as many files as the largest of what people ship. Whoever
/// takes archives from strangers has limits of its own, which are narrower (AWS's for functions and their layers is 250 MiB).
pub const ARCHIVE_LIMITS: Limits = Limits {
    archive_bytes_max: 1 << 30,
    entries_max: 250_000,
    file_bytes_max: 1 << 30,
    // What comes out is bounded by itself.
    ratio_max: u64::MAX,
    ratio_free_bytes: u64::MAX,
};
/// The longest blob of such an archive, in bytes.
pub const ARCHIVE_BLOB_BYTES_MAX: u64 = 1 << 30;
