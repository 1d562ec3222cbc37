/** A schema with every form of field, rule and method option that an OpenAPI document has to tell of. */
export const openApiForms = `
syntax = "proto3";
package e.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "photongate/http.proto";

service E {
  rpc GetArticle(GetReq) returns (Sink) {
    option (google.api.http) = {
      get: "/v2/articles/{slug}"
      additional_bindings { post: "/v2/articles/{slug}:touch" body: "*" }
      additional_bindings { get: "/v2/ids/{id.hex}" }
      additional_bindings { put: "/v2/ids" body: "id" }
      additional_bindings { put: "/v2/ids/{id.hex}" body: "id" }
      additional_bindings { patch: "/v2/ids/{id.hex}" body: "*" }
    };
  }
  rpc Cancel(CancelReq) returns (Sink) {
    option (google.api.http) = {
      post: "/v1/identity/{identity.type}/cancel" body: "*"
      additional_bindings { post: "/v1/identity/{identity.type}/{identity.deep.a}/cancel" body: "*" }
      additional_bindings { post: "/v1/identity/{identity.deep.one}/{identity.type}/part" body: "identity" }
      additional_bindings { get: "/v1/identity/{identity.deep.two}" }
      additional_bindings { custom { kind: "*" path: "/v1/any/{identity.id}" } body: "*" }
      additional_bindings { custom { kind: "*" path: "/v1/any" } body: "identity" }
      additional_bindings { custom { kind: "*" path: "/v1/none" } }
    };
  }
  rpc PutAny(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/any" body: "any" additional_bindings { patch: "/v1/s/any" body: "any" } }; }
  rpc PutStruct(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/struct" body: "struct" additional_bindings { patch: "/v1/s/struct" body: "struct" } }; }
  rpc PutValue(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/value" body: "value" additional_bindings { patch: "/v1/s/value" body: "value" } }; }
  rpc PutList(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/list" body: "list_value" additional_bindings { patch: "/v1/s/list" body: "list_value" } }; }
  rpc PutAnys(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/anys" body: "anys" }; }
  rpc PutValues(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/values" body: "values" }; }
  rpc PutTime(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/time" body: "time" }; }
  rpc PutNullable(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/nullable" body: "wrapped_text" }; }
  rpc PutFile(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/file" body: "file" }; }
  rpc PutColor(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/color" body: "color" }; }
  rpc PutMap(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/map" body: "by_flag" }; }
  rpc PutEmpty(Sink) returns (Sink) { option (google.api.http) = { put: "/v1/s/empty" body: "empty" }; }
  rpc Get(Sink) returns (Sink) { option (google.api.http) = { get: "/v1/s" additional_bindings { post: "/v1/s" body: "*" } }; }
  rpc Typed(Sink) returns (Sink) { option (google.api.http) = { get: "/v1/t/{int}/{flag}/{long}/{color}/{price}/{wrapped_int}/{time}/{nothing}" }; }
  rpc Wait(google.protobuf.Duration) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/v1/wait" body: "*" }; }
  rpc Echo(google.protobuf.Value) returns (google.protobuf.Value) { option (google.api.http) = { post: "/v1/echo" body: "*" }; }
  rpc Ping(google.protobuf.Empty) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/v1/ping" body: "*" additional_bindings { patch: "/v1/ping" body: "*" } }; }
  rpc Deep(DeepReq) returns (DeepReq) { option (google.api.http) = { post: "/v1/deep" body: "*" additional_bindings { get: "/v1/deep" } additional_bindings { patch: "/v1/deep" body: "a" } }; }
  rpc Keys(KeyReq) returns (KeyReq) { option (google.api.http) = { get: "/v1/keys/{key=**}" additional_bindings { post: "/v1/keys/{key=**}:go" body: "*" } }; }
  rpc ByHeader(HeaderReq) returns (HeaderReq) {
    option (google.api.http) = { get: "/v1/headers" additional_bindings { post: "/v1/headers" body: "*" } };
    option (photongate.http) = {
      headers { header: "x-tags" field: "tags" }
      headers { header: "x-count" field: "count" }
      headers { header: "x-by-id" field: "by_id" }
      headers { cookie: "flag" field: "flag" }
    };
  }
}
message GetReq { oneof article { ObjectId id = 1; string slug = 2; } string lang = 3; }
message ObjectId { string hex = 1; string kind_of = 2; }
message CancelReq { Identity identity = 1; string reason_text = 2 [(google.api.field_behavior) = REQUIRED]; }
message Identity {
  string type = 1 [(google.api.field_behavior) = REQUIRED];
  string id = 2 [(google.api.field_behavior) = REQUIRED];
  Deep deep = 3;
}
message Deep { oneof which { string one = 1; int32 two = 2; } string a = 3 [(google.api.field_behavior) = REQUIRED]; string b = 4; }
enum Color { COLOR_UNSPECIFIED = 0; RED = 1; }
message Sink {
  google.protobuf.Any any = 1;
  google.protobuf.Struct struct = 2;
  google.protobuf.Value value = 3;
  google.protobuf.ListValue list_value = 4;
  repeated google.protobuf.Any anys = 5;
  repeated google.protobuf.Value values = 6;
  google.protobuf.Timestamp time = 7;
  google.protobuf.StringValue wrapped_text = 8;
  google.protobuf.Int64Value wrapped_long = 9;
  google.protobuf.Int32Value wrapped_int = 10;
  repeated google.protobuf.BoolValue wrapped_flags = 11;
  map<string, google.protobuf.DoubleValue> wrapped_prices = 12;
  google.api.HttpBody file = 13;
  repeated google.api.HttpBody files = 14;
  Color color = 15;
  repeated Color colors = 16;
  map<bool, Color> by_flag = 17;
  map<int64, google.protobuf.Struct> by_number = 18;
  google.protobuf.Empty empty = 19;
  google.protobuf.NullValue nothing = 20;
  repeated google.protobuf.Struct structs = 21;
  int32 int = 22;
  bool flag = 23;
  uint64 long = 24;
  double price = 25;
  bytes raw_data = 26;
  google.protobuf.FieldMask some_mask = 27;
  google.protobuf.Duration for_time = 28;
  repeated int64 long_list = 29;
  Sink inner_sink = 30;
  oneof pick { option deprecated_pick_first = 31; string pick_b = 32 [(google.api.field_behavior) = REQUIRED]; Deep pick_c = 33 [(google.api.field_behavior) = REQUIRED]; }
  optional Color maybe_color = 34 [(google.api.field_behavior) = REQUIRED];
  string seen = 35 [(google.api.field_behavior) = OUTPUT_ONLY, (google.api.field_behavior) = REQUIRED];
}
message option { string x = 1; }
message DeepReq { A a = 1; string lang = 2 [(google.api.field_behavior) = REQUIRED]; A b = 3 [(google.api.field_behavior) = REQUIRED]; }
message A { B b = 1; string needed = 2 [(google.api.field_behavior) = REQUIRED]; }
message B { C c = 1; }
message C { D d = 1; repeated D list = 2 [(google.api.field_behavior) = REQUIRED]; }
message D { E2 e = 1; }
message E2 { F f = 1 [(google.api.field_behavior) = REQUIRED]; string g = 2; map<string, F> fs = 3 [(google.api.field_behavior) = REQUIRED]; }
message F { string needed_name = 1 [(google.api.field_behavior) = REQUIRED]; Color color = 2 [(google.api.field_behavior) = REQUIRED]; }
message KeyReq { string key = 1; string value = 2; }
message HeaderReq { repeated string tags = 1; int32 count = 2 [(google.api.field_behavior) = REQUIRED]; oneof who { string by_id = 3; string by_name = 4; } bool flag = 5; }
`;
