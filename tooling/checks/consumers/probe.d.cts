export declare function probe(app: unknown): void;
