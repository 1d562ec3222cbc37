/** The messages of `protos/nightlight/v1/nightlight.proto` as TypeScript sees them; what the fields mean stands there. */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly timestamp: string;
  readonly value: number;
}

export interface WriteRequest {
  readonly series: readonly { readonly labels: Labels; readonly samples: readonly Sample[] }[];
}

export interface QueryRequest {
  readonly query: string;
  readonly time: string;
}

export interface QueryRangeRequest {
  readonly query: string;
  readonly start: string;
  readonly end: string;
  readonly step: string;
}

export interface MatchRequest {
  readonly match: readonly string[];
  readonly page_size: number;
  readonly page_token: string;
}

export interface ListLabelValuesRequest extends MatchRequest {
  readonly name: string;
}
