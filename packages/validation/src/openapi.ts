export {
  openApi,
  type OpenApiDocument,
  type OpenApiOptions,
  type OperationText,
} from './openapi/open-api.js';
