/** The messages that the JSON cases are about. */
export const proto3 = `
  syntax = "proto3";
  package j;
  import "google/protobuf/any.proto";
  import "google/protobuf/duration.proto";
  import "google/protobuf/empty.proto";
  import "google/protobuf/field_mask.proto";
  import "google/protobuf/struct.proto";
  import "google/protobuf/timestamp.proto";
  import "google/protobuf/wrappers.proto";

  enum Color { COLOR_UNSPECIFIED = 0; RED = 1; GREEN = 2; CRIMSON = 1; option allow_alias = true; }

  message Scalars {
    int32 i32 = 1; int64 i64 = 2; uint32 u32 = 3; uint64 u64 = 4; sint32 s32 = 5; sint64 s64 = 6;
    fixed32 f32 = 7; fixed64 f64 = 8; sfixed32 sf32 = 9; sfixed64 sf64 = 10;
    float fl = 11; double db = 12; bool bo = 13; string st = 14; bytes by = 15; Color color = 16;
    optional int32 opt = 17; optional string opt_text = 18; optional Color opt_color = 19;
  }

  message Disk { int32 size = 1; string name = 2; map<string, int32> labels = 3; }
  message Spec { int32 cpu_count = 1; repeated Disk disks = 2; Disk boot = 3; }
  message Vm {
    string name = 1;
    Spec spec = 2;
    map<string, string> labels = 3;
    oneof source { string image = 4; Disk disk = 5; bool blank = 6; google.protobuf.NullValue nothing = 7; }
    Vm parent = 8;
    string display_name = 9 [json_name = "title"];
    repeated string tags = 10;
    oneof size { int32 small = 11; int64 large = 12; }
  }

  message Lists {
    repeated int32 numbers = 1; repeated string texts = 2; repeated bool flags = 3; repeated double doubles = 4;
    repeated Color colors = 5; repeated Disk disks = 6; repeated int32 loose = 7 [packed = false]; repeated uint64 longs = 8;
    repeated bytes blobs = 9; repeated sint32 zigzags = 10; repeated fixed32 fixeds = 11;
  }

  message Maps {
    map<string, string> ss = 1; map<int32, int32> ii = 2; map<int64, bool> lb = 3; map<bool, string> bs = 4;
    map<string, Color> sc = 5; map<string, Disk> sd = 6; map<uint64, double> ud = 7; map<sint32, bytes> zb = 8;
    map<string, google.protobuf.Timestamp> st = 9; map<string, google.protobuf.Value> sv = 10; map<sfixed64, float> xf = 11;
  }

  message Known {
    google.protobuf.Any any = 1; google.protobuf.Timestamp time = 2; google.protobuf.Duration span = 3;
    google.protobuf.FieldMask mask = 4; google.protobuf.Struct struct = 5; google.protobuf.Value value = 6;
    google.protobuf.ListValue list = 7; google.protobuf.Empty empty = 8; google.protobuf.NullValue null_value = 9;
    google.protobuf.BoolValue bool = 10; google.protobuf.Int32Value int32 = 11; google.protobuf.UInt32Value uint32 = 12;
    google.protobuf.Int64Value int64 = 13; google.protobuf.UInt64Value uint64 = 14; google.protobuf.FloatValue float = 15;
    google.protobuf.DoubleValue double = 16; google.protobuf.StringValue string = 17; google.protobuf.BytesValue bytes = 18;
    repeated google.protobuf.Any anys = 19; repeated google.protobuf.Timestamp times = 20; repeated google.protobuf.Value values = 21;
    repeated google.protobuf.Int32Value int32s = 22; repeated google.protobuf.NullValue nulls = 23;
  }

  message Odd {
    int32 __proto__ = 1; int32 constructor = 2; int32 a_b = 3 [json_name = "x y\\"z"]; int32 far = 536870911; int32 quite_far = 20000;
  }
`;

export const proto2 = `
  syntax = "proto2";
  package k;
  enum Closed { ZERO = 0; ONE = 1; }
  message Old {
    required int32 id = 1;
    optional Closed state = 2;
    repeated Closed states = 3;
    optional group Part = 4 { optional int32 n = 1; optional Old inner = 2; }
    repeated group Piece = 5 { optional string s = 1; }
    map<string, Closed> by_name = 6;
    optional string raw = 7;
    oneof pick { Closed closed = 8; int32 number = 9; }
    optional int32 with_default = 10 [default = 7];
    extensions 100 to 200;
  }
  extend Old { optional int32 extra = 100; repeated Closed more = 101; }
  message Holder { extend Old { optional Old nested = 102; } }
`;

/** More fields and oneofs than fit the bits of one number. */
export const wide = `
  syntax = "proto3";
  package w;
  message Wide {
    ${Array.from({ length: 70 }, (_, index) => `int32 f${index} = ${index + 1};`).join('\n')}
    ${Array.from({ length: 40 }, (_, index) => `oneof o${index} { int32 a${index} = ${2 * index + 100}; int32 b${index} = ${2 * index + 101}; }`).join('\n')}
  }
`;
