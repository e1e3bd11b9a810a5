//! boto3 and its transfer manager.
