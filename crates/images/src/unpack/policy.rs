//! What of a layer is taken over, and how.

use serde::{Deserialize, Serialize};

/// How the files of layers are made. What was unpacked under another policy is unpacked anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Whose the files are.
    pub owners: Owners,
    /// What becomes of device files.
    pub devices: DevicePolicy,
    /// By which attributes overlays are told what is opaque.
    pub overlay: XattrNamespace,
}

/// Whose the files of a layer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owners {
    /// The numbers in the archive, each raised by `shift`: for containers whose user namespace begins there. Needs root.
    Archive {
        /// What is added to each number.
        shift: u32,
    },
    /// Whoever unpacks.
    Caller,
}

/// What becomes of the device files in a layer. Named pipes are no devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DevicePolicy {
    /// They are left out and counted: a container gets its own `/dev`, and old base images have some by accident.
    Omit,
    /// The layer is refused.
    Refuse,
}

/// The namespace of the attributes that overlays read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum XattrNamespace {
    /// `trusted.overlay.`: needs CAP_SYS_ADMIN.
    Trusted,
    /// `user.overlay.`, for overlays that are mounted with `userxattr`.
    User,
}

/// What becomes of an extended attribute in an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Kept,
    Omitted,
    Refused,
}

/// What a program may do beyond its user's rights (`capabilities(7)`).
pub(super) const CAPABILITY: &[u8] = b"security.capability";

impl XattrNamespace {
    /// The attribute that makes a directory hide what is below.
    pub(crate) fn opaque(self) -> &'static str {
        match self {
            Self::Trusted => "trusted.overlay.opaque",
            Self::User => "user.overlay.opaque",
        }
    }
}

/// Kept are capabilities and what users note (`user.`). All else is the machine's: labels of its security modules, its
/// integrity measurements, its access lists by number. What an overlay reads is refused: `redirect` and `metacopy` would let
/// a layer show files of others, `opaque` and `whiteout` hide them.
pub(super) fn attribute(name: &[u8]) -> Attribute {
    if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
        Attribute::Refused
    } else if name == CAPABILITY || name.starts_with(b"user.") {
        Attribute::Kept
    } else {
        Attribute::Omitted
    }
}

/// Capabilities for a container whose root has the number `shift`: such as name no root are valid for the machine's alone.
pub(super) fn shifted_capability(value: &[u8], shift: u32) -> Vec<u8> {
    const REVISION_MASK: u32 = 0xff00_0000;
    const REVISION_2: u32 = 0x0200_0000;
    const REVISION_3: u32 = 0x0300_0000;
    let Ok(fields) = <[u8; 20]>::try_from(value) else { return value.to_vec() };
    let magic = u32::from_le_bytes([fields[0], fields[1], fields[2], fields[3]]);
    if shift == 0 || magic & REVISION_MASK != REVISION_2 {
        return value.to_vec();
    }
    [&(magic & !REVISION_MASK | REVISION_3).to_le_bytes()[..], &fields[4..], &shift.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_the_overlay_are_refused_and_those_of_the_machine_left_out() {
        for (name, becomes) in [
            ("security.capability", Attribute::Kept),
            ("user.mime_type", Attribute::Kept),
            ("trusted.overlay.redirect", Attribute::Refused),
            ("trusted.overlay.metacopy", Attribute::Refused),
            ("user.overlay.opaque", Attribute::Refused),
            ("security.selinux", Attribute::Omitted),
            ("security.ima", Attribute::Omitted),
            ("security.capabilityx", Attribute::Omitted),
            ("system.posix_acl_access", Attribute::Omitted),
            ("trusted.other", Attribute::Omitted),
            ("nonsense", Attribute::Omitted),
        ] {
            assert_eq!(attribute(name.as_bytes()), becomes, "{name}");
        }
    }

    #[test]
    fn capabilities_name_the_containers_root_when_it_is_shifted() {
        let mut value = [0; 20];
        value[..4].copy_from_slice(&0x0200_0001_u32.to_le_bytes());
        value[4] = 0x20;
        assert_eq!(shifted_capability(&value, 0), value);
        let shifted = shifted_capability(&value, 100_000);
        assert_eq!(shifted.len(), 24);
        assert_eq!(shifted[..4], 0x0300_0001_u32.to_le_bytes());
        assert_eq!((&shifted[4..20], &shifted[20..]), (&value[4..], &100_000_u32.to_le_bytes()[..]));
        assert_eq!(shifted_capability(b"odd", 5), b"odd");
    }
}
