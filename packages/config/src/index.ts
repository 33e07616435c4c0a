export {
  loadConfig,
  type Config,
  type ConfigChange,
  type ConfigListener,
  type ConfigSchema,
  type ConfigValues,
  type LoadConfigOptions,
  type ReloadResult,
} from './load-config.js';
export {
  setting,
  type BooleanSetting,
  type DurationSetting,
  type IntegerSetting,
  type JsonSchema,
  type JsonSetting,
  type ListSetting,
  type NumberSetting,
  type Presence,
  type SecretSetting,
  type Setting,
  type StringSetting,
  type UrlSetting,
} from './setting.js';
export { ConfigError, type ConfigProblem, type ConfigProblemCode } from './config-error.js';
export type { SettingRow } from './describe.js';
export { errors as configErrors } from './error-codes.js';
export { Secret } from '@portcullis/core';
export type { SecurityContext } from '@portcullis/core';
