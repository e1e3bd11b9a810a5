//! What sandbox a version of a function needs.

use std::collections::BTreeMap;

use platform::Keyring;
use platform::identity::TemporaryCredentials;
use workload::{
    Capabilities, Container, EnvVar, MemoryLimits, MountedVolume, Network, NetworkMode, OutputPolicy, Resources, Spec,
    Ulimit, Volume, VolumeSource,
};

use crate::Error;
use crate::configuration::{LogFormat, Package, open_variables};
use crate::executor::Callee;

/// What serves the Runtime API to these workloads: the node half's name.
pub const LOCAL_SERVICE: &str = "lambda";
/// The name of a sandbox's only container.
pub const CONTAINER: &str = "function";
/// How the images of runtimes are named ([`crate::runtimes`]); the runtime's own name follows.
pub const RUNTIME_IMAGES: &str = "lambda.pilvi.invalid/runtime:";

/// Where a function's code is.
pub(super) const TASK: &str = "/var/task";
/// The volumes: what each is called, and where it is mounted.
const CODE_VOLUME: (&str, &str) = ("code", TASK);
const LAYERS_VOLUME: (&str, &str) = ("layers", "/opt");
const SCRATCH_VOLUME: (&str, &str) = ("scratch", "/tmp");
/// The user that functions run as, and its group. (AWS's own is `sbx_user1051`.)
const USER: &str = "993:990";
/// How much memory is a whole processor, in MiB. (Developer guide: "At 1,769 MB, a function has the equivalent of one vCPU".)
const MIB_OF_A_PROCESSOR: u32 = 1769;
/// How many files, and how many processes and threads, an environment may have. (Lambda quotas: 1,024 of each.)
const FILES_MAX: i64 = 1024;
const PROCESSES_MAX: u32 = 1024;
/// How much output a node keeps of what is sent on at once, in bytes.
const OUTPUT_BYTES_KEPT: u64 = 4 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// The sandbox of an environment whose output goes to `stream`.
///
/// # Errors
/// [`Error::Internal`]: the function's variables were not sealed by this installation.
pub fn of(keyring: &Keyring, callee: &Callee, credentials: &TemporaryCredentials, stream: &str) -> Result<Spec, Error> {
    let configuration = &callee.configuration;
    let mut env = match &configuration.variables {
        Some(sealed) => open_variables(keyring, &callee.function, sealed)?,
        None => BTreeMap::new(),
    };
    // What Lambda says comes before what the function's owner says, but for what may be changed.
    for (name, value) in changeable() {
        env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    env.extend(fixed(callee, stream));
    env.insert("AWS_ACCESS_KEY_ID".to_owned(), credentials.access_key_id.clone());
    env.insert("AWS_SECRET_ACCESS_KEY".to_owned(), credentials.secret_access_key.expose().to_owned());
    env.insert("AWS_SESSION_TOKEN".to_owned(), credentials.session_token.clone());
    let mut spec = needs(callee);
    if let Some(container) = spec.containers.first_mut() {
        container.env = env.into_iter().map(|(name, value)| EnvVar { name, value }).collect();
    }
    Ok(spec)
}

/// The same without what is secret or the environment's own: enough to make ready what it is made of.
pub fn needs(callee: &Callee) -> Spec {
    let configuration = &callee.configuration;
    let memory = u64::from(configuration.memory_mib) * MIB;
    let cpu_millis = (configuration.memory_mib * 1000).div_ceil(MIB_OF_A_PROCESSOR);
    let scratch = u64::from(configuration.ephemeral_mib) * MIB;
    let volumes = volumes(callee);
    let mounts = volumes.iter().map(|((name, path), _)| MountedVolume {
        volume: (*name).to_owned(),
        path: (*path).to_owned(),
        read_only: *name != SCRATCH_VOLUME.0,
        sub_path: None,
        // So that `/tmp` is everybody's, as it is in the image: a new directory is root's alone.
        copy_image_content: *name == SCRATCH_VOLUME.0,
    });
    let container = Container {
        name: CONTAINER.to_owned(),
        mounts: mounts.collect(),
        user: Some(USER.to_owned()),
        working_dir: Some(TASK.to_owned()),
        read_only_root: true,
        essential: true,
        memory: MemoryLimits { bytes_max: Some(memory), ..MemoryLimits::default() },
        cpu_millis_max: Some(cpu_millis),
        pids_max: Some(PROCESSES_MAX),
        ulimits: vec![Ulimit { name: "nofile".to_owned(), soft: FILES_MAX, hard: FILES_MAX }],
        capabilities: Capabilities { add: Vec::new(), drop: vec!["ALL".to_owned()] },
        no_new_privileges: true,
        output: OutputPolicy { bytes_max: OUTPUT_BYTES_KEPT, ship: false },
        ..program(callee)
    };
    Spec {
        containers: vec![container],
        volumes: volumes.into_iter().map(|((name, _), source)| Volume { name: name.to_owned(), source }).collect(),
        network: Network { mode: NetworkMode::Bridge, ..Network::default() },
        resources: Resources {
            memory_bytes_reserved: memory,
            disk_bytes_reserved: scratch,
            memory_bytes_max: Some(memory),
            pids_max: Some(PROCESSES_MAX),
            ..Resources::default()
        },
        local_service: Some(LOCAL_SERVICE.to_owned()),
        ..Spec::default()
    }
}

/// The image, and what is executed of it.
fn program(callee: &Callee) -> Container {
    match &callee.configuration.package {
        Package::Image { resolved, overrides, .. } => Container {
            image: resolved.clone(),
            entrypoint: overrides.entry_point.clone(),
            command: overrides.command.clone(),
            working_dir: overrides.working_directory.clone(),
            ..Container::default()
        },
        Package::Zip(_) => {
            let runtime = callee.configuration.runtime.as_deref().unwrap_or_default();
            // A runtime of one's own is a program of that name; the others bring theirs.
            let folder = if runtime.starts_with("provided") { TASK } else { "/var/runtime" };
            Container {
                image: format!("{RUNTIME_IMAGES}{runtime}"),
                entrypoint: Some(vec![format!("{folder}/bootstrap")]),
                command: Some(Vec::new()),
                ..Container::default()
            }
        }
    }
}

/// What is mounted.
fn volumes(callee: &Callee) -> Vec<((&'static str, &'static str), VolumeSource)> {
    let configuration = &callee.configuration;
    let bytes_max = Some(u64::from(configuration.ephemeral_mib) * MIB);
    let mut volumes = vec![(SCRATCH_VOLUME, VolumeSource::Scratch { bytes_max })];
    if let Some(archive) = configuration.package.archive() {
        volumes.push((CODE_VOLUME, VolumeSource::Archive { archives: vec![archive.digest.to_string()] }));
        if !configuration.layers.is_empty() {
            let archives = configuration.layers.iter().map(|layer| layer.archive.digest.to_string()).collect();
            volumes.push((LAYERS_VOLUME, VolumeSource::Archive { archives }));
        }
    }
    volumes
}

/// What a function may say otherwise. (Developer guide: "Defined runtime environment variables".)
fn changeable() -> [(&'static str, &'static str); 6] {
    [
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("LD_LIBRARY_PATH", "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"),
        ("TZ", ":UTC"),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("HOME", "/tmp"),
    ]
}

/// What it may not.
fn fixed(callee: &Callee, stream: &str) -> impl Iterator<Item = (String, String)> {
    let configuration = &callee.configuration;
    let region = callee.function.region.to_string();
    let runtime = configuration.runtime.as_deref().unwrap_or_default();
    let execution = if runtime.starts_with("provided") || runtime.is_empty() {
        None
    } else {
        Some(format!("AWS_Lambda_{runtime}"))
    };
    let (format, level) = match configuration.logging.format {
        LogFormat::Text => ("Text", None),
        LogFormat::Json { application, .. } => ("JSON", Some(application.to_string())),
    };
    let variables = [
        ("AWS_REGION", Some(region.clone())),
        ("AWS_DEFAULT_REGION", Some(region)),
        ("AWS_EXECUTION_ENV", execution),
        ("AWS_LAMBDA_FUNCTION_NAME", Some(callee.function.name.clone())),
        ("AWS_LAMBDA_FUNCTION_VERSION", Some(callee.version.clone())),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", Some(configuration.memory_mib.to_string())),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", Some("on-demand".to_owned())),
        ("AWS_LAMBDA_LOG_GROUP_NAME", Some(configuration.logging.group.clone())),
        ("AWS_LAMBDA_LOG_STREAM_NAME", Some(stream.to_owned())),
        ("AWS_LAMBDA_LOG_FORMAT", Some(format.to_owned())),
        ("AWS_LAMBDA_LOG_LEVEL", level),
        ("LAMBDA_TASK_ROOT", Some(TASK.to_owned())),
        ("LAMBDA_RUNTIME_DIR", Some("/var/runtime".to_owned())),
        ("_HANDLER", configuration.handler.clone()),
    ];
    variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
}
