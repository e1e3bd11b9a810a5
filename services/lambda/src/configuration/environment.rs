//! Environment variables: checked, and sealed with the installation's own key as long as nobody needs them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use platform::Keyring;

use crate::names::FunctionName;
use crate::{Error, limits};

/// What Lambda itself sets. (Developer guide: "Reserved environment variables".)
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// Names and values.
pub(crate) type Variables = BTreeMap<String, String>;

/// Checks what can be checked of variables without knowing the function.
///
/// # Errors
/// [`Error::Parameter`]
pub(super) fn check(variables: &Variables) -> Result<(), Error> {
    let unable =
        "Lambda was unable to configure your environment variables because the environment variables you have provided";
    let reserved: Vec<&str> = variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(Error::Parameter(format!(
            "{unable} contains reserved keys that are currently not supported for modification. Reserved keys used in this \
             request: {}",
            reserved.join(", ")
        )));
    }
    let measured = json(variables);
    if measured.len() > limits::ENVIRONMENT_BYTES_MAX {
        return Err(Error::Parameter(format!("{unable} exceeded the 4KB limit. String measured: {measured}")));
    }
    if variables.values().any(|value| value.contains('\0')) {
        return Err(Error::Parameter(format!("{unable} contain a NUL character.")));
    }
    Ok(())
}

/// Seals variables for one function.
pub(crate) fn seal(keyring: &Keyring, function: &FunctionName, variables: &Variables) -> String {
    BASE64.encode(keyring.seal(&purpose(function), json(variables).as_bytes()))
}

/// Opens what was sealed for a function.
///
/// # Errors
/// [`Error::Internal`] for what this installation has not sealed.
pub(crate) fn open(keyring: &Keyring, function: &FunctionName, sealed: &str) -> Result<Variables, Error> {
    let opened = BASE64.decode(sealed).ok().and_then(|sealed| keyring.open(&purpose(function), &sealed));
    let variables = opened.and_then(|plain| serde_json::from_slice(&plain).ok());
    variables.ok_or_else(|| Error::Internal(format!("the environment of {} does not open", function.arn())))
}

fn json(variables: &Variables) -> String {
    serde_json::to_string(variables).expect("a map of texts has only string keys, so serde_json cannot refuse it")
}

fn purpose(function: &FunctionName) -> String {
    format!("lambda-environment/{}", function.arn())
}

#[cfg(test)]
mod tests {
    use base::{AccountId, Region};
    use platform::Platform;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn variables_open_for_their_own_function_alone() {
        let keyring = Platform::in_memory().keyring;
        let name =
            |name: &str| FunctionName { account: AccountId::DEFAULT, region: Region::default(), name: name.to_owned() };
        let secret = variables(&[("TOKEN", "hush")]);
        let sealed = seal(&keyring, &name("one"), &secret);
        assert!(!sealed.contains("hush"));
        assert_eq!(open(&keyring, &name("one"), &sealed).unwrap(), secret);
        assert!(open(&keyring, &name("two"), &sealed).is_err());
    }

    #[test]
    fn reserved_names_and_more_than_four_kilobytes_are_refused() {
        check(&variables(&[("PATH", "/x"), ("AWS_XRAY_DAEMON_ADDRESS", "x")])).unwrap();
        let told = check(&variables(&[("AWS_REGION", "x"), ("_HANDLER", "y")])).unwrap_err().to_string();
        assert!(told.ends_with("Reserved keys used in this request: AWS_REGION, _HANDLER"), "{told}");
        let at = |length| check(&variables(&[("K", &"x".repeat(length))]));
        // `{"K":""}` has eight bytes.
        at(limits::ENVIRONMENT_BYTES_MAX - 8).unwrap();
        let told = at(limits::ENVIRONMENT_BYTES_MAX - 7).unwrap_err().to_string();
        assert!(told.contains("exceeded the 4KB limit. String measured: {\"K\":\"xx"));
    }
}
