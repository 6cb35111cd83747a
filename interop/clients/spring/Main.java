// Spring Security as a resource server, as it is: access tokens that are bound to a key, checked
// with the keys of the token service's metadata (RFC 8414), as RFC 9068 and RFC 9449 have them.
//
//   Main ISSUER RESOURCE
//
// It says `port N` when it serves, and ends with its standard input.

import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
@RestController
public class Main {
    private static String issuer;
    private static String resource;

    public static void main(String[] arguments) throws Exception {
        issuer = arguments[0];
        resource = arguments[1];
        SpringApplication application = new SpringApplication(Main.class);
        application.setDefaultProperties(
                Map.of(
                        "server.port", "0",
                        "server.address", "127.0.0.1",
                        "spring.main.banner-mode", "off",
                        "logging.level.root", "warn"));
        var context = (ServletWebServerApplicationContext) application.run();
        System.out.println("port " + context.getWebServer().getPort());
        while (System.in.read() >= 0) {}
        context.close();
    }

    @GetMapping("/orders")
    String orders(@AuthenticationPrincipal Jwt token) {
        return "orders of " + token.getSubject();
    }

    @GetMapping("/purge")
    String purge() {
        return "purged";
    }

    @Bean
    SecurityFilterChain rules(HttpSecurity http) throws Exception {
        return http.authorizeHttpRequests(
                        calls ->
                                calls.requestMatchers("/orders")
                                        .hasAuthority("SCOPE_orders.read")
                                        .anyRequest()
                                        .hasAuthority("SCOPE_orders.purge"))
                .oauth2ResourceServer(server -> server.jwt(Customizer.withDefaults()))
                .build();
    }

    @Bean
    JwtDecoder decoder() {
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withIssuerLocation(issuer).validateType(false).build();
        // RFC 9068 §4.
        decoder.setJwtValidator(
                JwtValidators.createAtJwtValidator()
                        .issuer(issuer)
                        .audience(resource)
                        .clientId("batch")
                        .build());
        return decoder;
    }
}
