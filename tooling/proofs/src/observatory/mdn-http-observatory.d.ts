/** The part of the scanner that the proof reads; the package has no declarations. */
declare module '@mdn/mdn-http-observatory/src/scanner/index.js' {
  export interface ScanResult {
    readonly scan: { readonly grade: string; readonly score: number; readonly testsPassed: number };
    readonly tests: Readonly<
      Record<string, { readonly result: string; readonly pass: boolean; readonly scoreModifier: number }>
    >;
  }
  export function scan(hostname: string): Promise<ScanResult>;
}
