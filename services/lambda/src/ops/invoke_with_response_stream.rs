//! InvokeWithResponseStream.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use platform::{Access, Ctx};
use wire::EventStream;
use wire::eventstream::EventSender;

use crate::api::{
    InvokeResponseStreamUpdate, InvokeWithResponseStreamCompleteEvent, InvokeWithResponseStreamRequest,
    InvokeWithResponseStreamResponse, InvokeWithResponseStreamResponseEvent, LogType, ResponseStreamingInvocationType,
};
use crate::executor::{Piece, Streaming};
use crate::invoke::{self, Call, Way};
use crate::{Error, Lambda};

type Event = InvokeWithResponseStreamResponseEvent;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &InvokeWithResponseStreamRequest) -> Access {
    invoke::access(ctx, &input.function_name, input.qualifier.as_deref())
}

/// Calls a function, and hands on what it answers while it does.
pub(crate) async fn invoke_with_response_stream(
    lambda: &Lambda,
    ctx: &Ctx,
    input: InvokeWithResponseStreamRequest,
) -> Result<(InvokeWithResponseStreamResponse, EventStream<Event>), Error> {
    if input.tenant_id.is_some() {
        return Err(Error::NotServed("Pilvi does not serve tenant isolation yet.".to_owned()));
    }
    let is_dry = input.invocation_type == Some(ResponseStreamingInvocationType::DryRun);
    let call = Call {
        function_name: input.function_name,
        qualifier: input.qualifier,
        payload: input.payload.unwrap_or_default(),
        client_context: input.client_context,
        wants_log_tail: input.log_type == Some(LogType::Tail) && !is_dry,
        way: if is_dry { Way::DryRun } else { Way::Waiting },
    };
    let invocation = invoke::admit(lambda, ctx, call).await?;
    if is_dry {
        let head = InvokeWithResponseStreamResponse { status_code: Some(204), ..Default::default() };
        return Ok((head, EventStream::produce(|_| async {})));
    }
    let streaming = lambda.neighbours.executor.invoke_streaming(invocation).await?;
    let head = InvokeWithResponseStreamResponse {
        executed_version: Some(streaming.version.clone()),
        status_code: Some(200),
        response_stream_content_type: None,
    };
    Ok((head, EventStream::produce(|events| hand_on(streaming, events))))
}

async fn hand_on(mut streaming: Streaming, events: EventSender<Event>) {
    loop {
        let piece = tokio::select! {
            piece = streaming.pieces.recv() => piece,
            // Whoever runs it is told by the end of the channel.
            () = events.closed() => return,
        };
        let (event, is_last) = event(piece);
        if events.send(event).await.is_err() || is_last {
            return;
        }
    }
}

fn event(piece: Option<Piece>) -> (Event, bool) {
    let complete = |error: Option<(String, String)>, log_tail: Option<Vec<u8>>| {
        let (error_code, error_details) = error.unzip();
        let log_result = log_tail.map(|tail| BASE64.encode(tail));
        (Event::InvokeComplete(InvokeWithResponseStreamCompleteEvent { error_code, error_details, log_result }), true)
    };
    match piece {
        Some(Piece::Bytes(bytes)) => {
            (Event::PayloadChunk(InvokeResponseStreamUpdate { payload: Some(bytes.to_vec()) }), false)
        }
        Some(Piece::End { error, log_tail }) => complete(error, log_tail),
        None => {
            let details = r#"{"errorMessage":"The environment ended before its answer did."}"#;
            complete(Some(("Sandbox.Failure".to_owned(), details.to_owned())), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_breaks_off_ends_with_an_error() {
        let (Event::InvokeComplete(complete), true) = event(None) else { panic!("it goes on") };
        assert_eq!(complete.error_code.as_deref(), Some("Sandbox.Failure"));
        let (Event::PayloadChunk(chunk), false) = event(Some(Piece::Bytes("x".into()))) else { panic!("no chunk") };
        assert_eq!(chunk.payload.as_deref(), Some(&b"x"[..]));
        let end = Piece::End { error: None, log_tail: Some(b"log".to_vec()) };
        let (Event::InvokeComplete(complete), true) = event(Some(end)) else { panic!("it goes on") };
        assert_eq!((complete.error_code, complete.log_result.as_deref()), (None, Some("bG9n")));
    }
}
