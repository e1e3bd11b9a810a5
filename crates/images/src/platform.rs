//! Which of the images in an index runs on a machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an image was built for, as the OCI image specification names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The operating system: `linux`.
    pub os: String,
    /// The processor, by the names that Go gives them: `amd64`, `arm64`.
    pub architecture: String,
    /// Which kind of that processor: `v7` of `arm`, `v3` of `amd64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// The names that are the same to us: `uname -m` and others on the left, Go's on the right.
const ARCHITECTURES: [(&str, &str); 6] = [
    ("x86_64", "amd64"),
    ("x86-64", "amd64"),
    ("aarch64", "arm64"),
    ("armhf", "arm"),
    ("armel", "arm"),
    ("i386", "386"),
];

impl Platform {
    /// Linux on an architecture.
    pub fn linux(architecture: &str, variant: Option<&str>) -> Self {
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// The machine that this runs on.
    pub fn host() -> Self {
        match std::env::consts::ARCH {
            "x86_64" => Self::linux("amd64", Some(amd64_level())),
            "arm" => Self::linux("arm", Some("v7")),
            "powerpc64" if cfg!(target_endian = "little") => Self::linux("ppc64le", None),
            "x86" => Self::linux("386", None),
            other => Self::linux(other, None).normalized(),
        }
    }

    /// How well an image that was built for `other` suits this machine: the smaller the better; none if it does not run.
    fn distance(&self, other: &Self) -> Option<usize> {
        let (machine, image) = (self.normalized(), other.normalized());
        if machine.os != image.os || machine.architecture != image.architecture {
            return None;
        }
        match (level(&machine), level(&image)) {
            (Some(machine), Some(image)) => machine.checked_sub(image),
            _ => (machine.variant == image.variant).then_some(0),
        }
    }

    /// Whether an image that was built for `other` runs on this machine.
    pub fn runs(&self, other: &Self) -> bool {
        self.distance(other).is_some()
    }

    /// Whether both are of the same system and processor, of whichever variant.
    pub(crate) fn is_same_processor(&self, other: &Self) -> bool {
        let (one, other) = (self.normalized(), other.normalized());
        one.os == other.os && one.architecture == other.architecture
    }

    /// The place of the one that suits this machine best; of equals the first.
    pub fn choose<'a>(&self, offered: impl IntoIterator<Item = Option<&'a Self>>) -> Option<usize> {
        let distances = offered.into_iter().enumerate().filter_map(|(place, it)| Some((self.distance(it?)?, place)));
        distances.min().map(|(_, place)| place)
    }

    /// Written in one way: Go's names, and no variant where it is the one that everybody means.
    fn normalized(&self) -> Self {
        let known = ARCHITECTURES.iter().find(|(other, _)| *other == self.architecture);
        let architecture = known.map_or(self.architecture.as_str(), |(_, go)| go);
        let given = self.variant.as_deref().filter(|variant| !variant.is_empty());
        let variant = match (architecture, given) {
            ("arm64", Some("v8" | "8" | "v8.0")) | ("amd64", Some("v1")) => None,
            ("arm", None) if self.architecture == "armel" => Some("v6"),
            ("arm", None | Some("7")) => Some("v7"),
            ("arm", Some("5")) => Some("v5"),
            ("arm", Some("6")) => Some("v6"),
            ("arm", Some("8")) => Some("v8"),
            (_, other) => other,
        };
        Self { os: self.os.clone(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }
}

/// The number of a variant, where a machine of a higher one runs images of the lower ones.
fn level(platform: &Platform) -> Option<usize> {
    let variant = platform.variant.as_deref();
    match platform.architecture.as_str() {
        "amd64" => ["v1", "v2", "v3", "v4"].iter().position(|it| *it == variant.unwrap_or("v1")),
        "arm" => ["v5", "v6", "v7", "v8"].iter().position(|it| Some(*it) == variant),
        "arm64" => ["v8", "v9"].iter().position(|it| variant.unwrap_or("v8").split('.').next() == Some(it)),
        _ => None,
    }
}

/// The level of the x86-64 psABI that this processor has.
#[cfg(target_arch = "x86_64")]
fn amd64_level() -> &'static str {
    use std::arch::is_x86_feature_detected as has;
    let second =
        has!("cmpxchg16b") && has!("popcnt") && has!("sse3") && has!("ssse3") && has!("sse4.1") && has!("sse4.2");
    let third =
        has!("avx2") && has!("bmi1") && has!("bmi2") && has!("f16c") && has!("fma") && has!("lzcnt") && has!("movbe");
    let fourth = has!("avx512f") && has!("avx512bw") && has!("avx512cd") && has!("avx512dq") && has!("avx512vl");
    match (second, third, fourth) {
        (true, true, true) => "v4",
        (true, true, false) => "v3",
        (true, false, _) => "v2",
        (false, ..) => "v1",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn amd64_level() -> &'static str {
    "v1"
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/');
        let mut next = || parts.next().map(str::to_owned);
        Platform { os: next().unwrap(), architecture: next().unwrap(), variant: next() }
    }

    fn choice<'a>(machine: &str, offered: &[&'a str]) -> Option<&'a str> {
        let platforms: Vec<Platform> = offered.iter().map(|text| platform(text)).collect();
        platform(machine).choose(platforms.iter().map(Some)).map(|place| offered[place])
    }

    #[test]
    fn the_exact_variant_comes_first_and_then_the_next_lower_one() {
        let arm = ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64"];
        assert_eq!(choice("linux/arm/v7", &arm), Some("linux/arm/v7"));
        assert_eq!(choice("linux/arm/v7", &arm[..2]), Some("linux/arm/v6"));
        assert_eq!(choice("linux/arm/v5", &arm[1..3]), None);
        let amd = ["linux/amd64", "linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v4"];
        assert_eq!(choice("linux/amd64/v3", &amd), Some("linux/amd64/v3"));
        assert_eq!(choice("linux/amd64/v3", &amd[..2]), Some("linux/amd64/v2"));
        assert_eq!(choice("linux/amd64", &amd), Some("linux/amd64"));
        assert_eq!(choice("linux/amd64/v2", &amd[2..]), None);
    }

    #[test]
    fn other_names_of_the_same_processor_are_known() {
        assert_eq!(choice("linux/aarch64", &["linux/amd64", "linux/arm64/v8"]), Some("linux/arm64/v8"));
        assert_eq!(choice("linux/amd64/v1", &["linux/x86_64"]), Some("linux/x86_64"));
        assert_eq!(choice("linux/arm/v7", &["linux/armhf"]), Some("linux/armhf"));
        assert_eq!(choice("linux/arm/v6", &["linux/armel"]), Some("linux/armel"));
    }

    #[test]
    fn another_system_and_what_names_none_are_never_chosen() {
        let offered = ["windows/amd64", "unknown/unknown", "linux/s390x", "linux/amd64/unheard-of"];
        assert_eq!(choice("linux/amd64/v4", &offered), None);
        assert_eq!(platform("linux/amd64").choose([None, Some(&platform("linux/amd64"))]), Some(1));
        assert_eq!(choice("linux/riscv64", &["linux/riscv64", "linux/riscv64"]), Some("linux/riscv64"));
    }

    #[test]
    fn this_machine_runs_what_it_is() {
        let host = Platform::host();
        assert!(host.runs(&host), "{host}");
        assert!(host.runs(&Platform::linux(&host.architecture, None)) || host.architecture == "arm", "{host}");
    }
}
