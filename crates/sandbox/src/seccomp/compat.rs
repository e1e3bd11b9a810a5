//! Programs of 32 bits on processors that run them: the same profile by that architecture's numbers, for no capability beyond the
//! usual ones.

use super::Verdict::{self, Errno, If, Unless, UnlessBits};
use super::profile::{NEW_NAMESPACE, PERSONALITIES, VSOCK};
use super::program::Compat;

/// None where there are none.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const COMPAT: Option<Compat> = None;

/// i386, by the numbers of its `asm/unistd_32.h`. `socketcall` and `ipc` are among them, whose arguments are behind a pointer that no
/// filter can follow.
#[cfg(target_arch = "x86_64")]
pub(super) const COMPAT: Option<Compat> =
    Some(Compat { architecture: 0x4000_0003, allowed: I386_ALLOWED, looked_at: I386_LOOKED_AT });

#[cfg(target_arch = "x86_64")]
const I386_LOOKED_AT: &[(u32, Verdict)] = &[
    (359, Unless(0, VSOCK)),
    (136, If(0, PERSONALITIES)),
    (120, UnlessBits(0, NEW_NAMESPACE)),
    (435, Errno(libc::ENOSYS as u16)),
    // `chroot`, whose capability is among the usual ones: the kernel itself looks for it.
    (61, Verdict::Allow),
];

/// From the first to the last.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const I386_ALLOWED: &[(u32, u32)] = &[
    (0, 16), (19, 20), (23, 24), (26, 27), (29, 30), (33, 33), (36, 43), (45, 47), (49, 50), (54, 55), (57, 57),
    (60, 60), (63, 66), (70, 71), (75, 78), (80, 83), (85, 85), (90, 97), (99, 100), (102, 102), (104, 108), (114,
    114), (116, 119), (122, 126), (132, 133), (138, 148), (150, 165), (168, 168), (170, 187), (190, 216), (218,
    221), (224, 250), (252, 252), (254, 263), (265, 272), (277, 282), (284, 284), (289, 293), (295, 309), (311,
    316), (318, 335), (337, 337), (339, 341), (343, 345), (347, 348), (351, 356), (358, 358), (360, 373), (375,
    386), (393, 403), (405, 414), (416, 424), (434, 434), (436, 437), (439, 439), (441, 441), (444, 449), (451,
    456), (462, 466),
];
