// The API page: Swagger UI over the bridge's own document. Everything comes from the bridge itself.

import 'swagger-ui-dist/swagger-ui.css';
import './docs.css';
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';

const dark = matchMedia('(prefers-color-scheme: dark)');

/** Swagger UI goes by a class; the system's choice decides it. */
function followScheme(): void {
  document.documentElement.classList.toggle('dark-mode', dark.matches);
}

followScheme();
dark.addEventListener('change', followScheme);

SwaggerUI({
  dom_id: '#page',
  url: '/api/v1/openapi.json',
  // Its default asks a server of Swagger's about the document.
  validatorUrl: null,
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
});
