import type { Texts } from './texts.js';

export const es: Texts = {
  dir: 'ltr',
  title: {
    PASSKEY: 'Confirme que es usted',
    HARDWARE_PASSKEY: 'Confirme con su llave de seguridad',
    BREAK_GLASS: 'Acceso de emergencia',
    DENIED: 'No es posible',
  },
  todo: {
    PASSKEY: 'Use su clave de acceso: huella, rostro, PIN o llave de seguridad.',
    HARDWARE_PASSKEY: 'Para esto hace falta la llave de seguridad que su organización registró para usted.',
    BREAK_GLASS:
      'No tiene acceso a esto. En una emergencia puede abrirlo: explique el motivo y confirme con su clave de acceso. El acceso es temporal, queda registrado y se revisa.',
    NO_PASSKEY:
      'No tiene ninguna clave de acceso que pueda confirmarlo. Registre una o pregunte al servicio de asistencia.',
  },
  why: 'Por qué lo pedimos',
  justification: '¿Por qué necesita acceso ahora?',
  justificationHint: 'De 10 a 500 caracteres. Se leerá en la revisión.',
  justificationShort: 'Escriba al menos 10 caracteres.',
  usePasskey: 'Usar clave de acceso',
  usePhone: 'Usar un teléfono o una tableta',
  useSecurityKey: 'Usar una llave de seguridad',
  openEmergency: 'Abrir por emergencia',
  again: 'Reintentar',
  cancel: 'Ahora no',
  close: 'Cerrar',
  waiting: 'Esperando su clave de acceso …',
  checking: 'Comprobando …',
  unreachable: 'No hemos podido comprobarlo. Inténtelo de nuevo en un momento.',
  reasons: {
    POLICY_NEEDS_EVIDENCE: 'Confirme que es usted.',
    POLICY_FORBIDS: 'Su función no lo permite. Si cree que debería, hable con su administrador.',
    BREAK_GLASS_GRANTED: 'El acceso de emergencia está abierto por tiempo limitado y se revisará.',
    PASSKEY_REJECTED: 'No se ha podido verificar su clave de acceso. Inténtelo de nuevo.',
    PASSKEY_TELEMETRY_MISMATCH: 'No se ha podido verificar su clave de acceso. Inténtelo de nuevo.',
    TYPING_DIFFERS: 'Algo en este inicio de sesión parece distinto de lo habitual.',
    TELEMETRY_REPLAYED: 'Algo en este inicio de sesión parece distinto de lo habitual.',
    TELEMETRY_MACHINE_LIKE: 'Algo en este inicio de sesión parece distinto de lo habitual.',
    DEVICE_NEW: 'Aún no conocemos este dispositivo.',
    ATTEMPTS_LIMITED: 'Ha habido muchos intentos. Confirme que es usted.',
    RECORD_ACCESS_BURST: 'Está abriendo muchas historias. Confirme que es usted.',
    AUDIT_UNAVAILABLE: 'Ahora mismo no podemos dejarle entrar. Inténtelo de nuevo en un momento.',
    TYPING_PROOF_DUE: 'Confirme que es usted. Se lo pedimos de vez en cuando para seguir reconociéndole.',
    KEY_UNAVAILABLE: 'Ahora mismo no podemos dejarle entrar. Inténtelo de nuevo en un momento.',
  },
  errors: {
    CANCELLED:
      'Se cerró la ventana de la clave de acceso, o ninguna de este dispositivo sirve. Inténtelo de nuevo o use otro dispositivo.',
    TIMED_OUT: 'Nadie respondió a tiempo. Inténtelo de nuevo.',
    NO_AUTHENTICATOR: 'Este dispositivo no puede confirmar que es usted. Use un teléfono o una llave de seguridad.',
    NO_PASSKEY:
      'No tiene ninguna clave de acceso que pueda confirmarlo. Registre una o pregunte al servicio de asistencia.',
    WRONG_ACCOUNT: 'Esta clave de acceso es de otra cuenta. Use la suya o cambie de usuario.',
    ALREADY_REGISTERED: 'Este dispositivo ya tiene una clave de acceso para su cuenta. Inicie sesión con ella.',
    INSECURE_CONTEXT:
      'Las claves de acceso necesitan una conexión segura (https). Abra la página por su dirección segura.',
    WRONG_ORIGIN: 'Su clave de acceso se registró para otra página. Compruebe la dirección.',
    NOT_ALLOWED_HERE: 'El navegador no permite aquí claves de acceso. Haga clic en la página e inténtelo de nuevo.',
    UNSUPPORTED: 'Este navegador no admite claves de acceso. Use uno actual u otro dispositivo.',
    CHALLENGE_EXPIRED: 'Ha pasado demasiado tiempo, o ya se respondió. Inténtelo de nuevo.',
    INVALID_OPTIONS: 'Algo ha fallado por nuestra parte. Inténtelo de nuevo.',
    FAILED: 'No se ha podido usar su clave de acceso. Inténtelo de nuevo.',
  },
};
