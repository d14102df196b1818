// What the JavaScript original does against a sandbox. `node scenarios.cjs NAME` reads its settings as JSON from stdin
// and prints what came of it as JSON. The calls are written as the original's own documentation writes them.
'use strict';

const { readFileSync } = require('fs');
const { Wechatpay, Rsa, Formatter, Hash, Aes: { AesGcm, AesEcb }, Multipart, Transformer } = require('wechatpay-axios-plugin');

const settings = JSON.parse(readFileSync(0, 'utf8'));
const { mchid, baseURL, home } = settings;

const client = (more = {}) => new Wechatpay({
  baseURL,
  mchid,
  serial: settings.serial,
  privateKey: `file://${home}/apiclient_key.pem`,
  certs: { [settings.platformSerial]: `file://${home}/${settings.platformFile}` },
  secret: settings.apiv2_key,
  ...more,
});

const control = async (step, body) => {
  const response = await fetch(`${baseURL}/sandbox/${step}`, { method: 'POST', body: JSON.stringify(body) });
  return response.json();
};

// An answer that is an error, as the original hands it on.
const refused = async (promise) => {
  try {
    await promise;
  } catch ({ response: { status, data } }) {
    return { status, code: data.code, result: data.err_code };
  }
  return null;
};

const scenarios = {
  async native() {
    const wxpay = client();
    const number = 'NATIVE-Order_1a';
    const { data: { code_url } } = await wxpay.v3.pay.transactions.native.post({
      mchid,
      out_trade_no: number,
      appid: 'wxdace645e0bc2c424',
      description: 'Image形象店-深圳腾大-QQ公仔',
      notify_url: 'https://weixin.qq.com/',
      amount: { total: 888, currency: 'CNY' },
    });
    const query = () => wxpay.v3.pay.transactions.outTradeNo._out_trade_no_
      .get({ params: { mchid }, out_trade_no: number });
    const before = (await query()).data.trade_state;
    await control('pay', { order: code_url });
    const { data: paid } = await query();
    const { data: byId } = await wxpay.v3.pay.transactions.id._transaction_id_
      .get({ params: { mchid }, transaction_id: paid.transaction_id });
    const closing = await refused(wxpay.v3.pay.transactions.outTradeNo.$out_trade_no$.close
      .post({ mchid }, { out_trade_no: number }));
    const { data: refund } = await wxpay.v3.refund.domestic.refunds.post({
      transaction_id: paid.transaction_id,
      out_refund_no: '1217752501201407033233368018',
      reason: '商品已售完',
      funds_account: 'AVAILABLE',
      amount: { refund: 444, from: [{ account: 'AVAILABLE', amount: 444 }], total: 888, currency: 'CNY' },
    });
    const { data: settled } = await wxpay.v3.refund.domestic.refunds._out_refund_no_
      .get({ out_refund_no: '1217752501201407033233368018' });
    const tooMuch = await refused(wxpay.v3.refund.domestic.refunds.post({
      transaction_id: paid.transaction_id,
      out_refund_no: 'too-much',
      amount: { refund: 445, total: 888, currency: 'CNY' },
    }));
    const unknown = await refused(wxpay.v3.pay.transactions.outTradeNo._out_trade_no_
      .get({ params: { mchid }, out_trade_no: 'NO-SUCH-ORDER' }));
    return {
      code_url, before, paid, sameById: byId.out_trade_no === number, closing, refund, settled, tooMuch, unknown,
    };
  },

  async closing() {
    const wxpay = client();
    await wxpay.v3.pay.transactions.jsapi.post({
      mchid,
      appid: 'wxdace645e0bc2c424',
      out_trade_no: 'P1217752501201407033233368018',
      description: '一杯茶',
      notify_url: 'https://weixin.qq.com/',
      amount: { total: 1 },
      payer: { openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' },
    });
    const { status } = await wxpay.v3.pay.transactions.outTradeNo.$out_trade_no$.close
      .post({ mchid }, { out_trade_no: 'P1217752501201407033233368018' });
    return { status };
  },

  async presign() {
    const { data } = await client().v3.eduPapay.contracts.presign.post({
      appid: 'wxcbda96de0b165486',
      openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o',
      plan_id: '12535',
      user_id: '20200328',
      period_start_date: '2020-03-19',
      trade_scene: 'EDUCATION_PERIOD',
    });
    return data;
  },

  async upload() {
    const wxpay = client();
    const content = readFileSync(settings.file);
    const meta = { filename: 'receipt.png', sha256: Hash.sha256(content) };
    const form = new Multipart();
    form.append('meta', JSON.stringify(meta)).append('file', content, 'receipt.png');
    const { data } = await wxpay.v3.merchant.media.upload.post(form.getBuffer(), { meta, headers: form.getHeaders() });
    const wrong = await refused(wxpay.v3.merchant.media.upload.post(form.getBuffer(), {
      meta: { ...meta, sha256: '0' }, headers: form.getHeaders(),
    }));
    return { ...data, wrong };
  },

  async bill() {
    const wxpay = client();
    const { data: asked } = await wxpay.v3.bill.tradebill.get({ params: { bill_date: settings.day, bill_type: 'ALL' } });
    const { data } = await wxpay.v3.billdownload.file.get({
      params: { token: new URL(asked.download_url).searchParams.get('token') },
      responseType: 'arraybuffer',
    });
    return { hashed: Hash.sha1(data) === asked.hash_value, ...Formatter.castCsvBill(data) };
  },

  async notification() {
    const { headers, body, apiv3Key } = settings;
    const message = Formatter.response(headers['wechatpay-timestamp'], headers['wechatpay-nonce'], body);
    const verified = Rsa.verify(
      message,
      headers['wechatpay-signature'],
      Rsa.from(`file://${home}/${settings.platformFile}`, Rsa.KEY_TYPE_PUBLIC),
    );
    const { resource: { ciphertext, nonce, associated_data: aad } } = JSON.parse(body);
    return { verified, serial: headers['wechatpay-serial'], resource: JSON.parse(AesGcm.decrypt(ciphertext, apiv3Key, nonce, aad)) };
  },

  async notificationV2() {
    const data = Transformer.toObject(settings.body);
    const type = data.sign.length === 64 ? Hash.ALGO_HMAC_SHA256 : Hash.ALGO_MD5;
    return { verified: Hash.equals(Hash.sign(type, data, settings.apiv2_key), data.sign), data };
  },

  async refundNotificationV2() {
    const data = Transformer.toObject(settings.body);
    return { data, refund: Transformer.toObject(AesEcb.decrypt(data.req_info, Hash.md5(settings.apiv2_key))) };
  },

  async v2() {
    const { signType, secure } = settings;
    const wxpay = client({
      merchant: { cert: readFileSync(`${home}/apiclient_cert.pem`), key: readFileSync(`${home}/apiclient_key.pem`) },
    });
    const common = { appid: 'wx8888888888888888', mch_id: mchid, sign_type: signType };
    const number = `V2-Order-${signType}`;
    const { data: placed } = await wxpay.v2.pay.unifiedorder.post({
      ...common,
      body: '腾讯充值中心-QQ会员充值',
      out_trade_no: number,
      total_fee: 88,
      spbill_create_ip: '123.12.12.123',
      notify_url: 'http://www.weixin.qq.com/wxpay/pay.php',
      trade_type: 'NATIVE',
      product_id: '12235413214070356458058',
    });
    const query = async () => (await wxpay.v2.pay.orderquery.post({ ...common, out_trade_no: number })).data;
    const before = (await query()).trade_state;
    await control('pay', { order: placed.code_url });
    const paid = await query();
    const closing = await refused(wxpay.v2.pay.closeorder.post({ ...common, out_trade_no: number }));
    const { data: refund } = await wxpay.v2.secapi.pay.refund.post({
      ...common, transaction_id: paid.transaction_id, out_refund_no: `R-${signType}`, total_fee: 88, refund_fee: 8,
    }, { security: true });
    const { data: refunds } = await wxpay.v2.pay.refundquery.post({ ...common, out_trade_no: number });
    const naked = secure ? (await wxpay.v2.secapi.pay.refund.post({
      ...common, transaction_id: paid.transaction_id, out_refund_no: 'naked', total_fee: 88, refund_fee: 8,
    }).catch(({ response }) => ({ status: response.status }))).status : null;
    const { data: coded } = await wxpay.v2.pay.micropay.post({
      ...common,
      body: 'image形象店-深圳腾大- QQ公仔',
      out_trade_no: `M-${signType}`,
      total_fee: 1,
      spbill_create_ip: '8.8.8.8',
      auth_code: '120061098828009406',
    });
    const unknown = await refused(wxpay.v2.pay.orderquery.post({ ...common, out_trade_no: 'NO-SUCH-ORDER' }));
    return {
      placed, before, paid, closing, refund, refunds, naked, coded, unknown,
    };
  },

  async billV2() {
    const { data } = await client().v2.pay.downloadbill.post({
      appid: 'wx8888888888888888', mch_id: mchid, bill_date: settings.day.replace(/-/g, ''), bill_type: 'ALL',
    }, { responseType: 'arraybuffer', transformResponse: [(buffer) => Formatter.castCsvBill(buffer)] });
    return data;
  },

  // The primitives of the two, one against the other: a request a line, an answer a line.
  async primitives() {
    return settings.requests.map(({ op, ...given }) => ({
      sign: () => Rsa.sign(given.message, given.key),
      verify: () => Rsa.verify(given.message, given.signature, given.key),
      encrypt: () => Rsa.encrypt(given.text, given.key),
      decrypt: () => Rsa.decrypt(given.ciphertext, given.key),
      seal: () => AesGcm.encrypt(given.text, given.key, given.nonce, given.aad),
      open: () => AesGcm.decrypt(given.ciphertext, given.key, given.nonce, given.aad),
      ecbEncrypt: () => AesEcb.encrypt(given.text, Hash.md5(given.key)),
      ecbDecrypt: () => AesEcb.decrypt(given.ciphertext, Hash.md5(given.key)),
      signV2: () => Hash.sign(given.type, given.fields, given.key),
      toXml: () => Transformer.toXml(given.fields),
      toObject: () => Transformer.toObject(given.xml),
    }[op]()));
  },
};

scenarios[process.argv[2]]().then((result) => process.stdout.write(JSON.stringify(result)), (error) => {
  process.stderr.write(`${error.stack}\n${JSON.stringify(error.response && error.response.data)}\n`);
  process.exitCode = 1;
});
