/** Words for what happens to packets and why. The compiler checks that none is missing. */
import type { Verdict, VerdictReason } from '#api/views.ts';
import type { Text } from '#config/text.ts';

export const VERDICT_WORDS: Readonly<Record<Verdict, Text>> = {
  encrypt: { en: 'encrypted', ja: '暗号化' },
  plain: { en: 'plaintext', ja: '平文' },
  discard: { en: 'discarded', ja: '破棄' },
  negotiating: { en: 'negotiating', ja: 'ネゴシエーション中' },
  unknown: { en: 'undecided', ja: '未決定' },
};

export const REASON_WORDS: Readonly<Record<VerdictReason, Text>> = {
  'common-group': {
    en: 'both gateways belong to the same communication group',
    ja: '双方のゲートウェイが同じ通信グループに属している',
  },
  'no-gateway-echo': {
    en: 'the far device answered by itself: no gateway is in front of it',
    ja: '通信相手が自ら応答した(相手側にゲートウェイがない)',
  },
  'no-gateway-silence': { en: 'no gateway answered on the far side', ja: '相手側のゲートウェイから応答がない' },
  'no-common-group': {
    en: 'the far gateway shares no communication group with this one',
    ja: '相手側のゲートウェイと共通の通信グループがない',
  },
  'peer-mode-closed': {
    en: 'the far gateway is closed and refuses outsiders',
    ja: '相手側のゲートウェイが閉域モードで、グループ外との通信を拒否している',
  },
  'own-mode-closed': {
    en: 'this gateway is closed and refuses outsiders',
    ja: '本ゲートウェイが閉域モードで、グループ外との通信を拒否している',
  },
  remembered: {
    en: 'the address was protected before, and now no gateway proves to be there',
    ja: '以前は保護されていたアドレスだが、現在それを証明するゲートウェイがない',
  },
  'protected-prefix': {
    en: 'the GMS names the address as protected, so plaintext is never allowed',
    ja: 'GMSが保護対象に指定したアドレスのため、平文での通信は許可されない',
  },
  'domain-key-differs': {
    en: 'the far gateway has another version of the domain key',
    ja: '相手側のゲートウェイのドメイン鍵のバージョンが異なる',
  },
  'key-version-differs': {
    en: 'a communication group in common, but no version of its key that both gateways hold',
    ja: '共通の通信グループはあるが、双方が保持するグループ鍵のバージョンが一致しない',
  },
  'transform-differs': {
    en: 'a group key in common, but the two gateways were told different transforms for its group',
    ja: '共通のグループ鍵はあるが、そのグループの変換方式が双方のゲートウェイで異なる',
  },
  'peer-refused': {
    en: 'the rules of the far gateway forbid plaintext here',
    ja: '相手側のゲートウェイの規則により、平文での通信が拒否された',
  },
  'address-translated': {
    en: 'addresses are translated on the way, and no translation is configured',
    ja: '経路上でアドレス変換(NAT)が行われているが、その設定がない',
  },
  'negotiation-failed': { en: 'the negotiation failed', ja: 'ネゴシエーションに失敗した' },
  'no-keys': { en: 'this gateway has no keys', ja: '本ゲートウェイに鍵がない' },
  overloaded: {
    en: 'too many negotiations are running, or there is no room for keys',
    ja: '実行中のネゴシエーションが多すぎるか、鍵を置く場所がない',
  },
  exception: { en: 'an exception covers it', ja: '例外に該当する' },
  'never-negotiated': {
    en: 'multicast, broadcast and link-local addresses are never negotiated',
    ja: 'マルチキャスト、ブロードキャスト、リンクローカルはネゴシエーションの対象外である',
  },
};
