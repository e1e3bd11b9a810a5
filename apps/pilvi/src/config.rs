//! The configuration file: its keys, and errors that name the place and the remedy.
//!
//! `pilvi.example.toml` documents each key; [`EXAMPLE`] is what `pilvi config` prints. How the file, the environment and
//! the command line add up is [`crate::settings`]'s concern.

mod error;
mod registries;
mod values;

use std::path::{Path, PathBuf};

use base::{AccountId, Region};
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub(crate) use error::ConfigError;
pub(crate) use registries::{Registries, RegistriesSection};
pub(crate) use values::{
    AccessKeyId, Bounded, ConfiguredPrincipal, DnsName, Listen, LogFilter, LogFormat, PublicUrl, Secret,
    reachable_locally,
};

/// Every key with its meaning, as comments.
pub(crate) const EXAMPLE: &str = include_str!("../pilvi.example.toml");

/// A larger configuration file is refused before it is parsed.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The most fixed access keys that a file may name.
pub(crate) const ACCESS_KEYS_MAX: usize = 1000;

/// The file as written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) node_dir: Option<PathBuf>,
    pub(crate) listen: Option<Listen>,
    pub(crate) node_listen: Option<Listen>,
    pub(crate) region: Option<Region>,
    pub(crate) account: Option<AccountId>,
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) allow_plain_http: Option<bool>,
    pub(crate) log: LogSection,
    pub(crate) access_key: Vec<AccessKeyEntry>,
    pub(crate) tls: Option<Spanned<TlsSection>>,
    pub(crate) limits: Limits,
    pub(crate) cloudwatch_logs: CloudWatchLogs,
    pub(crate) registries: RegistriesSection,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSection {
    pub(crate) format: Option<LogFormat>,
    pub(crate) filter: Option<LogFilter>,
}

/// `[[access_key]]`, with the place of the id kept for the message about a duplicate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessKeyEntry {
    id: Spanned<AccessKeyId>,
    #[serde(deserialize_with = "values::secret_access_key")]
    secret: Secret,
    account: Option<AccountId>,
    #[serde(default)]
    principal: ConfiguredPrincipal,
}

/// A fixed access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessKey {
    /// What requests name in their credential scope.
    pub(crate) id: AccessKeyId,
    /// What requests are signed with.
    pub(crate) secret: Secret,
    /// The account that the key acts in.
    pub(crate) account: AccountId,
    /// Whom the key speaks for.
    pub(crate) principal: ConfiguredPrincipal,
}

/// `[tls]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsSection {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) generate: bool,
    pub(crate) names: Vec<DnsName>,
}

/// `[limits]`: what a single client can take from the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Connections open at once; further ones wait in the kernel's queue.
    pub(crate) max_connections: Bounded<1, 1_000_000>,
    /// Request line and headers, in bytes. The signature's own headers alone can take about 8 KiB.
    pub(crate) max_head_bytes: Bounded<8_192, 1_048_576>,
    /// The body of a request that is read into memory, in bytes; streamed ones (objects, layers) have AWS's limits.
    pub(crate) max_body_bytes: Bounded<65_536, 1_073_741_824>,
    /// How long a connection may take for a request's head, how long it may idle between requests, and how long a client
    /// may take to read an answer, in milliseconds.
    pub(crate) head_timeout_ms: Bounded<100, 600_000>,
    /// The longest pause between two pieces of a body, and how much longer it may take than 16 KiB a second would, in
    /// milliseconds.
    pub(crate) body_timeout_ms: Bounded<100, 600_000>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: Bounded::of::<4_096>(),
            max_head_bytes: Bounded::of::<65_536>(),
            max_body_bytes: Bounded::of::<6_291_456>(),
            head_timeout_ms: Bounded::of::<60_000>(),
            body_timeout_ms: Bounded::of::<60_000>(),
        }
    }
}

/// `[cloudwatch_logs]`: what the events of log groups may take of the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CloudWatchLogs {
    /// Of all groups together, in bytes.
    pub(crate) max_bytes: Bounded<16_777_216, 1_125_899_906_842_624>,
    /// Of one group, in bytes.
    pub(crate) max_group_bytes: Bounded<16_777_216, 1_125_899_906_842_624>,
}

impl Default for CloudWatchLogs {
    fn default() -> Self {
        Self { max_bytes: Bounded::of::<34_359_738_368>(), max_group_bytes: Bounded::of::<8_589_934_592>() }
    }
}

/// How the server's port is protected, paths made absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TlsChoice {
    /// Plain HTTP.
    Off,
    /// Certificate chain and key from PEM files of the operator.
    Own { certificate: PathBuf, key: PathBuf },
    /// A certificate authority of the data directory, for these names beside the local ones.
    Generated { names: Vec<DnsName> },
}

/// A file that was read: its keys, and what is needed to point into it.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) file: ConfigFile,
    pub(crate) tls: TlsChoice,
    directory: PathBuf,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, has an unknown key or a value that no setting can take.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let size = std::fs::metadata(path).map_err(|error| ConfigError::unreadable(path, error))?.len();
        if size > FILE_BYTES_MAX {
            return Err(ConfigError::whole(path, format!("{size} bytes; at most {FILE_BYTES_MAX} are read")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(path, error))?;
        let path = std::path::absolute(path).map_err(|error| ConfigError::unreadable(path, error))?;
        Self::parse(&path, &text)
    }

    /// What [`Config::read`] does with the text of the file at `path`.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| ConfigError::from_toml(path, text, &error))?;
        let at = |span, message| Err(ConfigError::at(path, text, span, message));
        if file.access_key.len() > ACCESS_KEYS_MAX {
            let span = file.access_key[ACCESS_KEYS_MAX].id.span();
            return at(span, format!("more than {ACCESS_KEYS_MAX} access keys"));
        }
        if let Some(repeated) = repeated_id(&file.access_key) {
            return at(repeated.span(), format!("access key {} is defined twice", repeated.get_ref()));
        }
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        let tls = match &file.tls {
            None => TlsChoice::Off,
            Some(section) => match tls_choice(section.get_ref(), &directory) {
                Ok(choice) => choice,
                Err(message) => return at(section.span(), message.to_owned()),
            },
        };
        Ok(Self { file, tls, directory })
    }

    /// The data directory, a relative one taken from the file's own directory.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.file.data_dir.as_ref().map(|path| self.directory.join(path))
    }

    /// The node's directory, likewise.
    pub(crate) fn node_dir(&self) -> Option<PathBuf> {
        self.file.node_dir.as_ref().map(|path| self.directory.join(path))
    }

    /// How registries elsewhere are reached, but for what the environment says.
    pub(crate) fn registries(&self) -> Registries {
        self.file.registries.in_directory(&self.directory)
    }

    /// The fixed access keys; one without an account belongs to `account`.
    pub(crate) fn access_keys(&self, account: AccountId) -> Vec<AccessKey> {
        let key = |entry: &AccessKeyEntry| AccessKey {
            id: entry.id.get_ref().clone(),
            secret: entry.secret.clone(),
            account: entry.account.unwrap_or(account),
            principal: entry.principal.clone(),
        };
        self.file.access_key.iter().map(key).collect()
    }
}

fn repeated_id(entries: &[AccessKeyEntry]) -> Option<&Spanned<AccessKeyId>> {
    let mut seen = std::collections::BTreeSet::new();
    entries.iter().map(|entry| &entry.id).find(|id| !seen.insert(id.get_ref().as_str()))
}

fn tls_choice(section: &TlsSection, directory: &Path) -> Result<TlsChoice, &'static str> {
    match (&section.certificate, &section.key, section.generate) {
        (Some(_), _, true) | (_, Some(_), true) => {
            Err("[tls] takes either certificate and key, or generate = true, not both")
        }
        (Some(_), Some(_), false) if !section.names.is_empty() => {
            Err("[tls] names are for generate = true; an own certificate carries its names")
        }
        (Some(certificate), Some(key), false) => {
            Ok(TlsChoice::Own { certificate: directory.join(certificate), key: directory.join(key) })
        }
        (Some(_), None, false) => Err("[tls] has a certificate and no key"),
        (None, Some(_), false) => Err("[tls] has a key and no certificate"),
        (None, None, true) => Ok(TlsChoice::Generated { names: section.names.clone() }),
        (None, None, false) => Err("[tls] needs certificate and key, or generate = true"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("/etc/pilvi/pilvi.toml"), text)
    }

    fn message(text: &str) -> String {
        parse(text).expect_err("the text must be refused").to_string()
    }

    /// The example with its settings switched on. Settings are commented without a space, prose with one.
    fn example_switched_on() -> String {
        let setting = |line: &str| {
            line.strip_prefix('#')
                .filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()))
                .map_or_else(|| line.to_owned(), str::to_owned)
        };
        EXAMPLE.lines().map(|line| setting(line) + "\n").collect()
    }

    #[test]
    fn the_example_parses_as_it_is_and_sets_nothing() {
        let config = parse(EXAMPLE).unwrap();
        assert_eq!(format!("{:?}", config.file), format!("{:?}", ConfigFile::default()));
    }

    #[test]
    fn the_example_parses_with_every_setting_switched_on() {
        let config = parse(&example_switched_on()).unwrap();
        assert_eq!(config.file.limits, Limits::default(), "the example shows the defaults");
        assert_eq!(config.file.cloudwatch_logs, CloudWatchLogs::default(), "the example shows the defaults");
        assert_eq!(config.file.listen, Some(Listen::default()));
        assert_eq!(config.file.access_key.len(), 2);
        assert!(matches!(config.tls, TlsChoice::Own { .. }));
    }

    #[test]
    fn the_example_names_every_key_that_the_file_can_have() {
        let example = example_switched_on();
        for (table, unknown) in [
            ("", "zz = 1".to_owned()),
            ("log", "[log]\nzz = 1".to_owned()),
            ("access_key", "[[access_key]]\nzz = 1".to_owned()),
            ("tls", "[tls]\nzz = 1".to_owned()),
            ("limits", "[limits]\nzz = 1".to_owned()),
            ("cloudwatch_logs", "[cloudwatch_logs]\nzz = 1".to_owned()),
            ("registries", "[registries]\nzz = 1".to_owned()),
        ] {
            let error = toml::from_str::<ConfigFile>(&unknown).unwrap_err();
            let known: Vec<_> = error.message().split('`').skip(3).step_by(2).collect();
            assert!(known.len() > 1, "{table}: {error}");
            for key in known {
                let as_value = example.lines().any(|line| line.starts_with(&format!("{key} = ")));
                let as_table = [format!("[{key}]"), format!("[[{key}]]")].iter().any(|head| example.contains(head));
                assert!(as_value || as_table, "{table}.{key} is not in the example");
            }
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_key() {
        assert_eq!(
            message("region = \"eu-north-1\"\nlisen = \"127.0.0.1:1\"\n"),
            "/etc/pilvi/pilvi.toml:2:1: unknown key `lisen`; did you mean `listen`?"
        );
        assert_eq!(
            message("[limits]\n\n  max_connection = 5\n"),
            "/etc/pilvi/pilvi.toml:3:3: unknown key `max_connection`; did you mean `max_connections`?"
        );
        assert_eq!(
            message("[log]\nwhatever = 5\n"),
            "/etc/pilvi/pilvi.toml:2:1: unknown key `whatever`; known here: format, filter"
        );
        assert!(
            message("[[access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\nsecrets = \"x\"\n").contains(":3:1: unknown key")
        );
    }

    #[test]
    fn a_bad_value_is_reported_with_its_line() {
        for (text, expected) in [
            ("listen = \"somewhere\"", ":1:10: `somewhere` is not an address and port such as 127.0.0.1:4566"),
            ("\naccount = \"12\"", ":2:11: `12` is not an account id: twelve digits are expected"),
            ("region = \"Nowhere\"", ":1:10: `Nowhere` is not a region name such as us-east-1"),
            ("public_url = \"ftp://x\"", ":1:14: `ftp://x` is not http://HOST[:PORT] or https://HOST[:PORT]"),
            ("[limits]\nhead_timeout_ms = 1", ":2:19: 1 is outside 100 to 600000"),
            ("[log]\nfilter = \"a=b=c\"", ":2:10: `a=b=c` is not a log filter"),
            ("[tls]\ncertificate = \"a.pem\"", ":1:1: [tls] has a certificate and no key"),
            ("region = ", ":1:10: "),
        ] {
            let message = message(text);
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn an_access_key_that_is_defined_twice_is_refused_at_the_second_place() {
        let key = "[[access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\nsecret = \"wJalrXUtnFEMI/K7MDENG\"\n";
        assert_eq!(
            message(&format!("{key}{key}")),
            "/etc/pilvi/pilvi.toml:5:6: access key AKIAIOSFODNN7EXAMPLE is defined twice"
        );
    }

    #[test]
    fn no_message_repeats_a_secret() {
        let with = |secret: &str| format!("[[access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\nsecret = {secret}\n");
        for text in [with("\"shortsecret\""), with("123454321"), with("[\"shortsecret\"]"), with("\"shortsecret")] {
            let message = message(&text);
            assert!(!message.contains("shortsecret") && !message.contains("123454321"), "{message}");
        }
        let config = parse(&with("\"wJalrXUtnFEMI/K7MDENG\"")).unwrap();
        assert!(!format!("{config:?}").contains("wJalr"));
    }

    #[test]
    fn relative_paths_start_at_the_file() {
        let config = parse("data_dir = \"state\"\n[tls]\ncertificate = \"a.pem\"\nkey = \"/k.pem\"\n").unwrap();
        assert_eq!(config.data_dir().unwrap(), Path::new("/etc/pilvi/state"));
        let own = TlsChoice::Own { certificate: "/etc/pilvi/a.pem".into(), key: "/k.pem".into() };
        assert_eq!(config.tls, own);
    }

    #[test]
    fn a_key_without_account_belongs_to_the_default_one() {
        let text = "[[access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\nsecret = \"wJalrXUtnFEMI/K7MDENG\"\n";
        let keys = parse(text).unwrap().access_keys("111122223333".parse().unwrap());
        assert_eq!(keys[0].account.as_str(), "111122223333");
        assert_eq!(keys[0].principal, ConfiguredPrincipal::Root);
    }
}
