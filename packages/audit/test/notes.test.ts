import { describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { openCheckpoint, parseCheckpoint, signCheckpoint } from '../src/checkpoint.js';
import { ed25519Signer } from '../src/index.js';
import { parseNote, parseVerifierKey, signedBy } from '../src/note.js';
import { readProof, writeProof } from '../src/tlog-proof.js';

// Examples of the specifications, github.com/C2SP/C2SP at 5ba5ee8.
const note = `This is an example message.

\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`;
const noteKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const cosigned = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`;

describe('C2SP examples', () => {
  test('signed-note.md: the note is verified by its key', () => {
    const key = parseVerifierKey(noteKey);
    expect(signedBy(parseNote(note), key)).toBe('yes');
    expect(signedBy(parseNote(note.replace('example message', 'exemplary message')), key)).toBe('wrong');
    expect(signedBy(parseNote(note.replace('example.com/foo U', 'example.com/bar U')), key)).toBe('no');
  });

  test('tlog-cosignature.md: the checkpoint is read, with the time of its cosignature', () => {
    expect(parseCheckpoint(cosigned)).toMatchObject({
      log: 'example.com/behind-the-sofa',
      size: 20_852_163,
      root: Buffer.from('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=', 'base64'),
    });
    const [, witness] = parseNote(cosigned).signatures;
    expect(witness).toMatchObject({ name: 'witness.example.com/w1' });
    expect(witness!.bytes.readBigUInt64BE()).toBe(1_679_315_147n);
  });

  test('tlog-proof.md: the layout is what we write and read', () => {
    const hashes = Array.from({ length: 20 }, (_, i) => Buffer.alloc(32, i));
    const text = writeProof({ index: 73_894, hashes, checkpoint: cosigned });
    expect(text.split('\n').slice(0, 3)).toEqual([
      'c2sp.org/tlog-proof@v1',
      'index 73894',
      hashes[0]!.toString('base64'),
    ]);
    expect(readProof(text)).toEqual({ index: 73_894, hashes, checkpoint: cosigned });
    expect(readProof(text.replace('index', 'extra AAAA\nindex'))).toMatchObject({ index: 73_894 });
    for (const wrong of [
      '',
      'x',
      text.replace('@v1', '@v2'),
      text.replace('index 7', 'index 07'),
      text.replace('AAAA', 'AA A'),
    ]) {
      expect(() => readProof(wrong)).toThrow(TypeError);
    }
  });
});

describe('a note', () => {
  const wrong: Record<string, string> = {
    'no signature': note.split('\n\n')[0]! + '\n\n',
    'no empty line': note.replace('\n\n', '\n'),
    'no newline at the end': note.slice(0, -1),
    'a control character': note.replace('This', 'Th\u0007s'),
    'a hyphen instead of the dash': note.replace('\u2014', '-'),
    'base64 with stray bits': note.replace('aQM=', 'aQN='),
    'a lone surrogate': note.replace('This', '\ud800'),
    'too many signatures': note + note.split('\n\n')[1]!.repeat(64),
  };
  test.each(Object.entries(wrong))('with %s is none', (_, text) => {
    expect(() => parseNote(text)).toThrow(TypeError);
  });

  test('key texts of another type, id or spelling are refused', () => {
    expect(() => parseVerifierKey(noteKey, 'cosignature')).toThrow(TypeError);
    expect(() => parseVerifierKey(noteKey.replace('3U2k', '3U2l'))).toThrow(TypeError);
    expect(() => parseVerifierKey(noteKey.replace('530d903a', '530D903A'))).toThrow(TypeError);
  });
});

describe('a checkpoint', () => {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const signer = ed25519Signer({ origin: 'library.example/audit', key: pem });
  const key = parseVerifierKey(signer.verifierKey);

  test('is opened by the key of its log only, and as it was signed', async () => {
    const { note: signed } = await signCheckpoint(signer, 12, Buffer.alloc(32, 7));
    expect(openCheckpoint(signed, key)).toMatchObject({ log: 'library.example/audit', size: 12 });
    expect(openCheckpoint(signed.replace('\n12\n', '\n13\n'), key)).toBeUndefined();
    expect(openCheckpoint(signed, parseVerifierKey(noteKey))).toBeUndefined();
    for (const size of ['012', '1e3', '-1', '', '9007199254740993']) {
      expect(() => parseCheckpoint(signed.replace('\n12\n', `\n${size}\n`))).toThrow(TypeError);
    }
  });
});
