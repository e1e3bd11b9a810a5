//! Configurations: how an image is run, and what its layers are once they are unpacked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bounded::{self, List, Map};
use crate::{DiffId, DocumentError, Platform};

/// The configuration of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What it was built for; empty texts where it does not say.
    pub platform: Platform,
    /// How it is run.
    pub run: Run,
    /// The uncompressed archives of its layers, the lowest first.
    pub diff_ids: Vec<DiffId>,
}

/// How an image is run unless its user says otherwise. What the image does not say is empty or none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Run {
    /// Name or number of the user, with a group after a colon; to be looked up in the image itself.
    pub user: String,
    /// `NAME=value`, in the order that the image has them in.
    pub env: Vec<String>,
    /// The command and its first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments; the command itself if there is no entry point.
    pub cmd: Vec<String>,
    /// Where the command starts.
    pub working_dir: String,
    /// The directories whose content is not to be kept in the container's own layer.
    pub volumes: Vec<String>,
    /// The ports that the image serves: `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// The signal that ends it.
    pub stop_signal: Option<String>,
    /// What its maker says about it.
    pub labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    config: Option<RawRun>,
    rootfs: RawRootFs,
}

#[derive(Deserialize)]
struct RawRootFs {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    diff_ids: List<DiffId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct RawRun {
    user: Option<String>,
    env: List<String>,
    entrypoint: List<String>,
    cmd: List<String>,
    working_dir: Option<String>,
    volumes: Map<serde::de::IgnoredAny>,
    exposed_ports: Map<serde::de::IgnoredAny>,
    stop_signal: Option<String>,
    labels: Map<String>,
}

impl Config {
    /// Reads a configuration for an image that has so many layers.
    pub fn parse(bytes: &[u8], layers: usize) -> Result<Self, DocumentError> {
        let raw: RawConfig = bounded::parse(bytes)?;
        if raw.rootfs.kind != "layers" {
            return Err(DocumentError::Invalid("its `rootfs` is not made of layers"));
        }
        let diff_ids = raw.rootfs.diff_ids.0;
        if diff_ids.len() != layers {
            return Err(DocumentError::LayersDiffer { manifest: layers, config: diff_ids.len() });
        }
        let variant = raw.variant.filter(|variant| !variant.is_empty());
        let platform = Platform { os: raw.os, architecture: raw.architecture, variant };
        Ok(Self { platform, run: raw.config.unwrap_or_default().into(), diff_ids })
    }
}

impl From<RawRun> for Run {
    fn from(raw: RawRun) -> Self {
        Self {
            user: raw.user.unwrap_or_default(),
            env: raw.env.0,
            entrypoint: raw.entrypoint.0,
            cmd: raw.cmd.0,
            working_dir: raw.working_dir.unwrap_or_default(),
            volumes: raw.volumes.0.into_keys().collect(),
            exposed_ports: raw.exposed_ports.0.into_keys().collect(),
            stop_signal: raw.stop_signal.filter(|signal| !signal.is_empty()),
            labels: raw.labels.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF_ID: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_configuration_says_how_an_image_is_run() {
        let text = format!(
            r#"{{"architecture":"arm64","os":"linux","variant":"v8","created":"2024-01-01T00:00:00Z","history":[{{}}],
            "config":{{"User":"app:staff","Env":["PATH=/bin","A=b=c"],"Entrypoint":["/app"],"Cmd":["-v"],
            "WorkingDir":"/srv","Volumes":{{"/data":{{}}}},"ExposedPorts":{{"80/tcp":{{}}}},"StopSignal":"SIGQUIT",
            "Labels":{{"a":"b"}},"Unheard":[1]}},"rootfs":{{"type":"layers","diff_ids":["{DIFF_ID}"]}}}}"#
        );
        let config = Config::parse(text.as_bytes(), 1).unwrap();
        assert_eq!(config.platform, Platform::linux("arm64", Some("v8")));
        assert_eq!(config.diff_ids, [DIFF_ID.parse().unwrap()]);
        let expected = Run {
            user: "app:staff".into(),
            env: vec!["PATH=/bin".into(), "A=b=c".into()],
            entrypoint: vec!["/app".into()],
            cmd: vec!["-v".into()],
            working_dir: "/srv".into(),
            volumes: vec!["/data".into()],
            exposed_ports: vec!["80/tcp".into()],
            stop_signal: Some("SIGQUIT".into()),
            labels: [("a".into(), "b".into())].into(),
        };
        assert_eq!(config.run, expected);
    }

    #[test]
    fn what_go_writes_as_null_is_empty() {
        let text = br#"{"os":"linux","architecture":"amd64","config":{"User":null,"Env":null,"Cmd":null,"Volumes":null,
            "Labels":null},"rootfs":{"type":"layers","diff_ids":null}}"#;
        assert_eq!(Config::parse(text, 0).unwrap().run, Run::default());
        let text = br#"{"config":null,"rootfs":{"type":"layers"}}"#;
        assert_eq!(Config::parse(text, 0).unwrap().platform.os, "");
    }

    #[test]
    fn a_configuration_of_another_image_is_refused() {
        let text = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["{DIFF_ID}"]}}}}"#);
        let found = Config::parse(text.as_bytes(), 2);
        assert!(matches!(found, Err(DocumentError::LayersDiffer { manifest: 2, config: 1 })));
        assert!(Config::parse(br#"{"rootfs":{"type":"foreign"}}"#, 0).is_err());
        assert!(Config::parse(b"{}", 0).is_err());
        assert!(Config::parse(br#"{"rootfs":{"type":"layers","diff_ids":["sha256:../../etc"]}}"#, 1).is_err());
    }
}
