//! Writes and listings: what `s3s` parses for us, applied to the store.
//!
//! Uploaded checksums are stored and replayed, not verified. Parts of an upload are joined in memory.

use super::object::{Md5Sum, Object, quoted};
use super::store::{Refused, Store};
use crate::content::Content;
use crate::honest::{Validators, Verdict, judge};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES, HeaderName, IF_MATCH,
};
use http::{HeaderMap, HeaderValue};
use md5::{Digest, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
    DeleteObjectOutput, ETag, HeadBucketInput, HeadBucketOutput, ListObjectsV2Input, ListObjectsV2Output,
    PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

#[derive(Debug)]
pub(crate) struct Writes(pub(crate) Store);

#[async_trait::async_trait]
impl S3 for Writes {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (md5, bytes) = collect(request.input.body).await?;
        let mut object = Object::new(quoted(&md5, ""), Content::Bytes(bytes));
        object.fields = stored_fields(&request.headers);
        object.checksums = checksums(&request.headers, request.trailing_headers.as_ref());
        let (bucket, key) = (&request.input.bucket, &request.input.key);
        let put = self
            .0
            .put_if(bucket, key, object, allowed_by(&request.headers))
            .map_err(refused)?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: tag(&put),
            version_id: put.version.clone(),
            ..PutObjectOutput::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let (_, version_id) = self.0.remove(&input.bucket, &input.key, input.version_id.as_deref());
        let delete_marker = (input.version_id.is_none() && version_id.is_some()).then_some(true);
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker,
            version_id,
            ..DeleteObjectOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let max_keys = input.max_keys.unwrap_or(1000);
        let prefix = input.prefix.clone().unwrap_or_default();
        // The token is the last key of the page before.
        let after = input
            .continuation_token
            .clone()
            .or(input.start_after.clone())
            .unwrap_or_default();
        let mut found = self.0.list(&input.bucket, &prefix, &after);
        let limit = usize::try_from(max_keys).unwrap_or(0);
        let truncated = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| truncated).map(|(key, _)| key.clone());
        let contents = found.into_iter().map(|(key, object)| s3s::dto::Object {
            e_tag: tag(&object),
            key: Some(key),
            last_modified: Some(Timestamp::from(object.modified)),
            size: i64::try_from(object.size()).ok(),
            ..s3s::dto::Object::default()
        });
        let contents: Vec<_> = contents.collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: Some(max_keys),
            key_count: i32::try_from(contents.len()).ok(),
            is_truncated: Some(truncated),
            continuation_token: input.continuation_token,
            next_continuation_token: next,
            start_after: input.start_after,
            contents: Some(contents),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let id = self
            .0
            .begin_upload(&input.bucket, &input.key, stored_fields(&request.headers));
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let (md5, bytes) = collect(input.body).await?;
        self.0
            .put_part(&input.upload_id, input.part_number, md5, bytes)
            .map_err(refused)?;
        let e_tag = quoted(&md5, "").parse().ok();
        Ok(S3Response::new(UploadPartOutput {
            e_tag,
            ..UploadPartOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let parts = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let numbers: Vec<_> = parts.iter().filter_map(|part| part.part_number).collect();
        let allowed = allowed_by(&request.headers);
        let put = self
            .0
            .complete_upload(&input.upload_id, &numbers, allowed)
            .map_err(refused)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            e_tag: tag(&put),
            version_id: put.version.clone(),
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.0.abort_upload(&request.input.upload_id).map_err(refused)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn create_bucket(&self, _: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(&self, _: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        Ok(S3Response::new(HeadBucketOutput::default()))
    }
}

/// `If-Match` and `If-None-Match` of a conditional write; a pin on a key that is not there is 404, as S3 has it.
fn allowed_by(headers: &HeaderMap) -> impl FnOnce(Option<&Object>) -> Result<(), Refused> {
    let headers = headers.clone();
    move |current| match current {
        None if headers.contains_key(IF_MATCH) => Err(Refused::NoKey),
        None => Ok(()),
        Some(object) => match judge(
            &headers,
            Validators {
                etag: Some(&object.etag),
                modified: None,
            },
        ) {
            Verdict::Proceed => Ok(()),
            Verdict::NotModified | Verdict::Failed(_) => Err(Refused::Precondition),
        },
    }
}

fn refused(why: Refused) -> S3Error {
    match why {
        Refused::Precondition => {
            s3_error!(
                PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold"
            )
        }
        Refused::NoKey => s3_error!(NoSuchKey),
        Refused::NoUpload => s3_error!(NoSuchUpload),
        Refused::InvalidPart => s3_error!(InvalidPart),
    }
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<(Md5Sum, Bytes)> {
    let (mut md5, mut bytes) = (Md5::new(), BytesMut::new());
    if let Some(mut body) = body {
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|_| s3_error!(IncompleteBody))?;
            md5.update(&piece);
            bytes.extend_from_slice(&piece);
        }
    }
    Ok((md5.finalize().into(), bytes.freeze()))
}

/// What an upload says about the object and S3 gives back with it.
fn stored_fields(headers: &HeaderMap) -> HeaderMap {
    let kept = [
        CACHE_CONTROL,
        CONTENT_DISPOSITION,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_TYPE,
        EXPIRES,
    ];
    let stored = headers
        .iter()
        .filter(|(name, _)| kept.contains(name) || name.as_str().starts_with("x-amz-meta-"));
    stored
        .filter_map(|(name, value)| Some((name.clone(), as_stored(name, value)?)))
        .collect()
}

/// `aws-chunked` is the coding of the upload and no property of the object.
fn as_stored(name: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
    if name != CONTENT_ENCODING {
        return Some(value.clone());
    }
    let codings = value
        .to_str()
        .ok()?
        .split(',')
        .map(str::trim)
        .filter(|coding| *coding != "aws-chunked");
    let codings = codings.collect::<Vec<_>>().join(",");
    if codings.is_empty() { None } else { codings.parse().ok() }
}

/// The checksum that came with the upload, before or behind the body.
fn checksums(headers: &HeaderMap, trailers: Option<&TrailingHeaders>) -> HeaderMap {
    let trailers = trailers.and_then(TrailingHeaders::take).unwrap_or_default();
    let is_value = |name: &HeaderName| {
        let algorithm = name.as_str().strip_prefix("x-amz-checksum-");
        algorithm.is_some_and(|algorithm| !["algorithm", "mode", "type"].contains(&algorithm))
    };
    let found = headers.iter().chain(&trailers).filter(|(name, _)| is_value(name));
    let mut found: HeaderMap = found.map(|(name, value)| (name.clone(), value.clone())).collect();
    if !found.is_empty() {
        found.insert("x-amz-checksum-type", HeaderValue::from_static("FULL_OBJECT"));
    }
    found
}

fn tag(object: &Object) -> Option<ETag> {
    object.etag.parse().ok()
}
