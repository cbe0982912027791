/**
 * A handful of the published values of HCTR2-AES-256 (google/hctr2, test_vectors/ours/HCTR2/HCTR2_AES256.json), in hex.
 */
export interface Hctr2Vector {
  readonly key: string;
  readonly tweak: string;
  readonly plaintext: string;
  readonly ciphertext: string;
}

export const HCTR2_VECTORS: readonly Hctr2Vector[] = [
  {
    key: '586d5db534ac4db4f2adab82aba67703cb45b873fc1294f1637197b0068ec82c',
    tweak: '',
    plaintext: '3a80b3a0ddddbe14e806a6ffda1fbcb9',
    ciphertext: '400a5d51672f873296caa77db6155f62',
  },
  {
    key: 'b23e832d6d1849cacf10b52bb4e6c51fff72cb0e43a09c8e4e8f8b3e705262f2',
    tweak: '',
    plaintext: '8d73967fb70e68a343a88071c35f3d4adf',
    ciphertext: '47286a0a19dbd79032baedd994fef4a63c',
  },
  {
    key: 'a590a5b627f18d511daabeda51de6406bf91b9d3aad3585b5d190c8dc797840d',
    tweak: 'ab',
    plaintext: 'bf59f1e5fda64c180fff733b6e45db66d6f27d33657751ba854d965c9a061d',
    ciphertext: '5c34873519ac1aa72cb18892f4fdca22fb652050ae8fb1feedf866954c45b4',
  },
  {
    key: 'c38be2816b9830abcffb778ff743b5a06abd5f30e4a3e85fc9c62af0ffb227a4',
    tweak: 'e563efc192525180041df0f6bad47935',
    plaintext: 'bf3383a7ff848a6f0dcd01df7fe8c6bbb9e7c88ea1a1bea3dd9340366af2dad1f64ceec94f23e0fe3f3932bee38b8e92',
    ciphertext: 'dab2579dbfd1d1063ef792a71e814f9e3474b55d81d97d404b634b875cb6c07b4a149f8fe9bf1075a6575ff968a4b96f',
  },
  {
    key: '182e46fa302a59c0f6f1c695c8aecb846b1c603d336a301ae4aef00157739bbe',
    tweak: 'e9fd4e4e7a5f2385b5e50957528ee17595790c41a743fbb662c5bf4b49c800d7',
    plaintext:
      'c44647c98d10a9ac3296cfa32362efa5c67b11aa6991d073a08896d0df6ef11141f35a06fc13272463f3178418d2b6f7' +
      'ca6b3284eb96317a95a4c6a192adc344eb881a160f482b9efd8546cf5cd56951dc2db3fd41704568ad03b4e81101d5fd' +
      'e020121f97bd7b67e907a1f31c59002e336bf29fd6fb6dc2cf9845db77f6ab60',
    ciphertext:
      'a7db5e4a28f32b7741175262624fbcd9afe676ec81bf22d92cff7955d90cc4568f7c112a63ca20a7cfbc750835ad305c' +
      '2af310f9a2f749b9975815634a8ae692e6ebd97b44fc41af99f74b6a696edf065f43790252a93ee6939fd2d0669e3043' +
      '3db892745b182c95d4a262ac188a4e4396d7949bdf9d9cd20c5e45cc3f06ebd9',
  },
  {
    key: '8a34a44ad90d3121abc77b4a14f54f7cd9b4ce1c82ba253cc11ce9b163ec17e2',
    tweak: '9279228589aba7838fc577478717927110ef9b18426dd7dfb8a316c5cdc4caf9528b29273969f6831e9e82418d06df',
    plaintext:
      '9ca829dc821808482a9acf0dae6cf5ad2316000690036b502ffa70d10e9fba464500212f19f522d6b0c2e508862743fd' +
      '249698332a0f75bf49b71cb11eb66c087833b709e78b8ec4f37e8705339ed2f623dedd2d04e7583d5d5e81a19be614eb' +
      'cdec9518ead8cd6817cc7e52f99c54a6aa2b349af58a6f0e2ad98cea4387875d7ce3214775edf3b40e4525ef056a0332' +
      '75b90b4dd9e3608346841f6ac1a8a9ad3cd6df365e9f9975da2260a68d86c56f37db4b9a1dd4f1a5e46b15d3c0940c28' +
      'b6e438278f3817464cb6bace954e689fd8a80de86c2afb99e4fb09d11683e63c6496d870b88686c3c41d78d6d6a3ca70' +
      '853e35ea4bad319fe7cecdbe26293c',
    ciphertext:
      'cfc35cf6b59bc7dfaf7e331cb9f9f3141bbd8c9100526efb43943f9c10d8e0fa035c799170c234b0f24fc4fdeb29194d' +
      'b4bf60be451ee6e9870d0c216da0d1d46402a8477ebda477661080c2b4209eae0d104b795d36f2dbb505a9df4cb4735d' +
      'c2c369e0977cd7a5be22d57714ac211c48c65a52ffd838f5f2bec3b294d58b2de4dfd304bebbed2d3f3dbfb460d6a193' +
      '13db5b7e4d52a0c3dff5a006683ba97b02f853b502464c5ab5346b8f3b4af788e429c719e43a6d64c66abc88a8aa72e2' +
      '5d138a6165416a2f55be010a944c2a5d8ac4de962f8efee209052ab92c2d2019cdf04edbb018326ba350dedeac52aa0f' +
      '338df09cb1cfaabf06cbfb05432964',
  },
];
