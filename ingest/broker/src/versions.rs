//! ApiVersions responses that every client reads.
//!
//! Since version 3 the response ends with tagged fields, which a client skips if it does not know them. librdkafka before
//! 2.2 (`kcat` of Debian 12 has 2.0.2) skips one byte too few of each, reads on in the middle of a field, and gives up the
//! connection with "Read underflow". tansu writes four such fields, all with their default values. The protocol leaves a
//! field with its default value out, and so does this service.

use rama::{Context, Service};
use tansu_broker::Error as TansuError;
use tansu_sans_io::{Body, Frame};
use tansu_service::FrameRouteService;

/// The routes, with ApiVersions responses without tagged fields.
#[derive(Clone, Debug)]
pub(crate) struct PlainVersions {
    pub(crate) routes: FrameRouteService<(), TansuError>,
}

impl Service<(), Frame> for PlainVersions {
    type Response = Frame;
    type Error = TansuError;

    async fn serve(&self, context: Context<()>, request: Frame) -> Result<Frame, TansuError> {
        let mut response = self.routes.serve(context, request).await?;
        if let Body::ApiVersionsResponse(versions) = &mut response.body {
            versions.supported_features = None;
            versions.finalized_features_epoch = None;
            versions.finalized_features = None;
            versions.zk_migration_ready = None;
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rama::Layer as _;
    use tansu_service::BytesFrameLayer;

    use super::*;

    /// `message` with its length before it, as it is on the wire.
    fn framed(message: &[&[u8]]) -> Vec<u8> {
        let message = message.concat();
        let length = i32::try_from(message.len()).unwrap().to_be_bytes();
        [length.as_slice(), message.as_slice()].concat()
    }

    /// An ApiVersions request with correlation id 7 of the client `kcat`, as librdkafka 2.0.2 writes it.
    fn request(version: u8) -> Vec<u8> {
        let header = [b"\x00\x12\x00".as_slice(), &[version], b"\x00\x00\x00\x07\x00\x04kcat"].concat();
        match version {
            0..3 => framed(&[&header]),
            // Tagged fields of the header, name and version of the client's software, tagged fields of the body.
            _ => framed(&[&header, b"\x00", b"\x0blibrdkafka", b"\x062.0.2", b"\x00"]),
        }
    }

    async fn answer(version: u8) -> Vec<u8> {
        // The builder adds the route of ApiVersions itself, key 18 in versions 0 to 4.
        let routes = FrameRouteService::<(), TansuError>::builder().build().unwrap();
        let service = BytesFrameLayer::default().into_layer(PlainVersions { routes });
        service.serve(Context::<()>::default(), Bytes::from(request(version))).await.unwrap().to_vec()
    }

    #[tokio::test]
    async fn the_response_has_the_bytes_that_the_protocol_defines_and_no_tagged_field() {
        const CORRELATION: &[u8] = b"\x00\x00\x00\x07";
        const NO_ERROR: &[u8] = b"\x00\x00";
        const API: &[u8] = b"\x00\x12\x00\x00\x00\x04";
        const THROTTLE: &[u8] = b"\x00\x00\x00\x00";
        let one_api = b"\x00\x00\x00\x01".as_slice();
        assert_eq!(answer(0).await, framed(&[CORRELATION, NO_ERROR, one_api, API]));
        for version in [1, 2] {
            let expected = framed(&[CORRELATION, NO_ERROR, one_api, API, THROTTLE]);
            assert_eq!(answer(version).await, expected, "version {version}");
        }
        // A compact array counts from one. The header has no tagged fields, unlike that of every other flexible response.
        for version in [3, 4] {
            let expected = framed(&[CORRELATION, NO_ERROR, b"\x02", API, b"\x00", THROTTLE, b"\x00"]);
            assert_eq!(answer(version).await, expected, "version {version}");
        }
    }
}
